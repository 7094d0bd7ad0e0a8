"""The settings of a retraining; they check themselves, and the command's options are made of them."""

from dataclasses import dataclass

from vcs_demo.settings import Settings, setting


@dataclass(frozen=True)
class LossSettings(Settings):
    """Which loss is trained with; see `training.losses.ContextSearchLoss`."""

    loss: str = setting("modified", "the paper's loss, or InfoNCE", choices=("modified", "infonce"))
    negatives: str = setting("both", "what a query is held apart from", choices=("in-batch", "hard", "both"))
    directions: str = setting("paper", "one direction, or the authors' four", choices=("paper", "authors"))
    temperature: float = setting(0.1, "temperature of the softmax", above=0, metavar="τ")


@dataclass(frozen=True)
class FitSettings(Settings):
    """How the trainer goes about it."""

    epochs: float = setting(3.0, "passes over the rows", above=0)
    batch_size: int = setting(32, "rows of a batch", low=1)
    learning_rate: float = setting(5e-5, "highest learning rate", above=0)
    max_length: int = setting(224, "tokens of a text", low=8)
    query_prompt: str | None = setting(
        None, "prefix of queries, such as '<|query|> '; default: the base's own", metavar="TEXT"
    )
    seed: int = setting(42, "of the order and of what is drawn")
    save_steps: int | None = setting(
        None, "steps between checkpoints (default: a tenth of the run, at most 50)", low=1
    )
