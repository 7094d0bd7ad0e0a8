"""The settings of the paper's experiments: a class per experiment, whose fields are the options of its command."""

from dataclasses import dataclass, fields
from pathlib import Path

from vcs_demo.errors import UserError, quoted
from vcs_demo.settings import Settings, setting


@dataclass(frozen=True)
class ExperimentSettings(Settings):
    """What all experiments have in common.

    Raises:
        UserError: a value out of range, or a seed given twice.
    """

    name, example = "", ""  # of the command, whose help is the docstring

    source: str = setting("mini", "mini, hub or a folder: train, validation and test splits")
    base: str = setting("minilm", "ranker name or SentenceTransformer directory to start from")
    miner: str = setting("bm25", "ranker that mines the hard negatives of the train split")
    seeds: tuple[int, ...] = setting((0, 1, 2), "each arm is trained once per seed", several=True)
    epochs: float = setting(3, "passes over the rows", above=0)
    batch_size: int = setting(32, "rows of a batch", low=2)
    learning_rate: float = setting(5e-5, "highest learning rate", above=0)
    max_length: int = setting(224, "tokens of a text", low=8)
    query_prompt: str = setting("<|query|> ", "prefix of queries; '' for none")
    limit: int | None = setting(None, "pairs to train on at most", low=2)
    evaluate_limit: int | None = setting(None, "queries of a task to evaluate on at most", low=2)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.seeds)) < len(self.seeds):
            raise UserError(f"--seeds are {' '.join(map(str, self.seeds))}; give each once.")

    def command(self, *without: str) -> str:
        """Write these settings as a command, folders by their names: it says nothing about the machine."""
        words = [f"python training/experiments.py {self.name}"]
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in without or value is None or value is False:
                continue
            if item.name in ("source", "base", "general"):
                value = Path(value).name
            elif item.name == "query_prompt":
                value = repr(value)
            elif isinstance(value, tuple | list):
                value = " ".join(map(str, value))
            words.append(f"--{item.name.replace('_', '-')}{'' if value is True else f' {value}'}")
        return " ".join(words)


@dataclass(frozen=True)
class Baseline(ExperimentSettings):
    """InfoNCE, τ = 0.1, in-batch; every task, beside the paper's figures."""

    name, example = "baseline", "--base vcs-static"

    temperature: float = setting(0.1, "temperature of the softmax", above=0, metavar="τ")


@dataclass(frozen=True)
class Ablation(Baseline):
    """{InfoNCE, modified} × {in-batch, hard negatives}, and weight and directions apart."""

    name, example = "ablation", "--seeds 0 1 2 --design"

    design: bool = setting(False, "also no prefix, and CLS pooling")


@dataclass(frozen=True)
class TemperatureSweep(ExperimentSettings):
    """The modified loss at several τ, with validation after every epoch."""

    name, example = "temperature", "--temperatures 0.05 0.1 0.2 0.4 0.7"

    epochs: float = setting(10, "passes over the rows", above=0)
    temperatures: tuple[float, ...] = setting(
        (0.05, 0.1, 0.2, 0.4, 0.7), "temperatures to compare", above=0, metavar="τ", several=True
    )


@dataclass(frozen=True)
class DomainTransfer(Baseline):
    """Medical text alone against general text and a mixture of the two, equally many pairs."""

    name, example = "domain", "--general pairs.jsonl"

    general: Path | None = setting(
        None, "rows of query, positive [default: the reranking tasks' pairs]", metavar="FILE"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.general is not None and not self.general.exists():
            raise UserError(
                f"--general is {quoted(self.general)}, which does not exist; give a file of query, positive."
            )


EXPERIMENTS = {kind.name: kind for kind in (Baseline, Ablation, TemperatureSweep, DomainTransfer)}
