"""The arms of each experiment: the ways of training that it compares."""

from dataclasses import dataclass, replace

from training.paper.settings import Ablation, DomainTransfer, ExperimentSettings, TemperatureSweep


@dataclass(frozen=True)
class Arm:
    """One way of training that an experiment compares with others.

    Attributes:
        name: in tables and curves.
        weight, negatives, directions, temperature: of `training.losses.ContextSearchLoss`.
        data: `medical`, `general` or `mixed` pairs.
        prompt: whether queries get the prefix.
        pooling: `mean` or `cls`.
    """

    name: str
    weight: str = "modified"
    negatives: str = "in-batch"
    directions: str = "paper"
    temperature: float = 0.1
    data: str = "medical"
    prompt: bool = True
    pooling: str = "mean"


def arms(settings: ExperimentSettings) -> list[Arm]:
    """Return an experiment's arms; the others are compared with the first."""
    if isinstance(settings, TemperatureSweep):
        # The paper recommends τ = 0.1, so the others are compared with it.
        order = sorted(settings.temperatures, key=lambda value: (value != 0.1, value))
        return [Arm(f"τ = {value:g}", temperature=value) for value in order]
    base = Arm("InfoNCE, in-batch", weight="infonce", temperature=settings.temperature)
    modified = replace(base, name="modified, in-batch", weight="modified")
    if isinstance(settings, DomainTransfer):
        return [replace(base, name=f"{data} text", data=data) for data in ("medical", "general", "mixed")]
    if not isinstance(settings, Ablation):
        return [base]
    both = (base, modified)
    chosen = [
        *both,
        *(replace(arm, name=f"{arm.name}, four directions", directions="authors") for arm in both),
    ]
    chosen += [replace(a, name=a.name.replace("in-batch", "hard negatives"), negatives="hard") for a in both]
    if settings.design:
        chosen.append(replace(base, name="InfoNCE, in-batch, no prefix", prompt=False))
        chosen.append(replace(base, name="InfoNCE, in-batch, CLS pooling", pooling="cls"))
    return chosen
