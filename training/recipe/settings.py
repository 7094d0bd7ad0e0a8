"""The settings of the recipe's training stages; the defaults are those of the shipped models."""

from dataclasses import dataclass

from vcs_demo.errors import UserError, quoted
from vcs_demo.settings import Settings, setting


@dataclass(frozen=True)
class TowerSettings(Settings):
    """How long, how fast and on what a tower is trained."""

    seed: int = setting(0, "of the pairs, the batches and a static table's start")
    steps: int = setting(600, "batches", low=0)
    batch_size: int = setting(160, "pairs of a batch", low=1)
    rate: float = setting(3e-4, "highest learning rate", above=0)
    warmup: int = setting(40, "steps over which the rate rises; then it falls linearly", low=1)
    weights: str = setting(
        "news=1.5 qa=2 sections=2 medical=3 crops=1 newscrops=0.5 nli=0.3", "shares of the kinds of pairs"
    )
    rows: int = setting(160_000, "pairs of a kind at most", low=1)
    max_tokens: int = setting(128, "tokens of a text", low=2)
    every: int = setting(100, "steps between checkpoints", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.shares()

    def shares(self) -> dict[str, float]:
        """Return `weights` by kind; raises UserError for text of another form."""
        try:
            return {kind: float(share) for kind, share in (part.split("=") for part in self.weights.split())}
        except ValueError:
            raise UserError(f"--weights is {quoted(self.weights)}; give kinds as 'news=2 qa=1'.") from None


@dataclass(frozen=True)
class StaticSettings(TowerSettings):
    """How the static table is trained; see `training.losses.ContextSearchLoss`."""

    steps: int = setting(1500, "batches", low=0)
    batch_size: int = setting(2048, "pairs of a batch", low=1)
    rate: float = setting(0.02, "highest learning rate", above=0)
    warmup: int = setting(20, "steps over which the rate rises; then it falls linearly", low=1)
    weights: str = setting(
        "news=2 qa=1 sections=1 medical=3 crops=1.5 newscrops=1 nli=0.2", "shares of the kinds of pairs"
    )
    temperature: float = setting(0.05, "temperature of the loss", above=0, metavar="τ")
    loss: str = setting("infonce", "InfoNCE, or the paper's loss", choices=("infonce", "modified"))
    directions: str = setting("paper", "one direction, or the authors' four", choices=("paper", "authors"))
    negatives: str = setting(
        "both", "which negatives a query is trained against", choices=("in-batch", "both")
    )


@dataclass(frozen=True)
class EncoderSettings(TowerSettings):
    """How the transformer is trained."""

    layers: int = setting(6, "layers kept of the base", low=1)
