"""The sentence-transformers trainer as retraining uses it: batches, prompts, checkpoints, progress with an ETA."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.sampler import DefaultBatchSampler
from torch import nn
from transformers import PrinterCallback, TrainerCallback
from transformers.utils.logging import disable_progress_bar

from training.retraining.base import prompts_of
from training.retraining.output import kept_if_unwritable, mark_whole, newest, step_of
from training.retraining.settings import FitSettings
from vcs_demo.errors import UserError
from vcs_demo.terminal import say
from vcs_demo.text import content_hash

if TYPE_CHECKING:
    import datasets


class TrainingDiverged(UserError):
    """The loss or a weight has become infinite or NaN."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"The training diverged at step {step}: the loss or a weight is infinite or NaN; "
            "give --restart with a lower --learning-rate or a higher --temperature."
        )


class DistinctQueries(DefaultBatchSampler):
    """Deal the rows out to the batches like cards, the rows of one query one after the other.

    So a query meets itself in no batch (unless it has more rows than there are batches), no batch is a small rest
    that hardly has a negative, and the number of batches is known beforehand and the same in every epoch. The
    library's NO_DUPLICATES promises ⌈rows / batch size⌉ batches but makes more where a query has several rows,
    and the trainer then never sees the rest of them.

    Args (the trainer's): the dataset, with a column `anchor`; batch_size, drop_last, generator, seed.
    """

    def __init__(self, dataset: "datasets.Dataset", batch_size: int, drop_last: bool, **more: object) -> None:
        super().__init__(dataset, batch_size=batch_size, drop_last=drop_last, **more)
        groups: dict[str, list[int]] = {}
        for row, query in enumerate(dataset["anchor"]):
            groups.setdefault(content_hash(query), []).append(row)
        self._groups = list(groups.values())
        self._rows = len(dataset)

    def __len__(self) -> int:
        """Return the number of batches: as few as the batch size allows."""
        return math.ceil(self._rows / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield row numbers, batch by batch, in an order drawn by seed and epoch."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)

        def shuffled(items: list) -> list:
            return [items[i] for i in torch.randperm(len(items), generator=generator).tolist()]

        dealt = [row for group in shuffled(self._groups) for row in shuffled(group)]
        count = len(self)
        yield from shuffled([dealt[start::count] for start in range(count)])


class _Trainer(SentenceTransformerTrainer):
    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Do without the library's card: ours is written when the figures are there."""


def fine_tune(
    model: SentenceTransformer,
    loss: nn.Module,
    dataset: "datasets.Dataset",
    settings: FitSettings,
    checkpoints: Path,
    report: Callable[..., None],
    each_epoch: Callable[[int], None] | None = None,
) -> int:
    """Train the model in place, from the newest whole checkpoint if there is one; return the number of steps.

    Queries and documents get the model's own prompts, as they do when it encodes.

    Args:
        model: what is trained.
        loss: takes the dataset's columns.
        dataset: columns anchor, positive, (negative,) label.
        settings: epochs, batch_size, learning_rate, seed, save_steps.
        checkpoints: folder of checkpoints.
        report: called with stage, step, total, loss, eta (seconds), gradient (norm before clipping) and positive
            (mean p⁺, where the loss tells) after every step.
        each_epoch: called with the step at the end of every epoch.

    Raises:
        TrainingDiverged: the loss is no longer a number.
        UserError: a checkpoint cannot be written; those before it stay.
    """
    disable_progress_bar()
    query, document = prompts_of(model)
    cuda = torch.cuda.is_available()
    steps = math.ceil(math.ceil(len(dataset) / settings.batch_size) * settings.epochs)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=0.1,
        seed=settings.seed,
        data_seed=settings.seed,
        save_strategy="steps",
        save_steps=settings.save_steps or max(1, min(50, steps // 10)),
        save_total_limit=None,  # `mark_whole` deletes: the trainer goes by the clock, which may be set back
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not cuda,
        bf16=cuda,
        prompts={"anchor": query, "positive": document, "negative": document},
        batch_sampler=DistinctQueries,
        logging_nan_inf_filter=False,  # it would show 0 for a loss that is no number
        dataloader_pin_memory=cuda,
    )
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        loss=loss,
        callbacks=[_Watch(report, loss, each_epoch)],
    )
    trainer.remove_callback(PrinterCallback)
    last = newest(checkpoints)
    if last:
        say(f"going on from {last.name}")
    if last and step_of(last) >= steps:  # the trainer would take one step more
        model.load_state_dict(SentenceTransformer(str(last), device=str(model.device)).state_dict())
        return step_of(last)
    checkpoints.mkdir(parents=True, exist_ok=True)
    with kept_if_unwritable(checkpoints):
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    if not all(bool(weights.isfinite().all()) for weights in model.parameters()):
        raise TrainingDiverged(trainer.state.global_step)
    return int(trainer.state.global_step)


class _Watch(TrainerCallback):
    """Reports every step, and marks checkpoints that are whole."""

    def __init__(
        self, report: Callable[..., None], loss: nn.Module, each_epoch: Callable[[int], None] | None
    ) -> None:
        self._report, self._loss, self._each_epoch = report, loss, each_epoch
        self._began: tuple[float, int] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began = (time.monotonic(), state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs or self._began is None:
            return
        began, first = self._began
        done = max(state.global_step - first, 1)
        eta = (time.monotonic() - began) / done * (state.max_steps - state.global_step)
        loss = round(float(logs["loss"]), 6)
        if not math.isfinite(loss):
            raise TrainingDiverged(state.global_step)
        self._report(
            stage="training",
            step=state.global_step,
            total=state.max_steps,
            loss=loss,
            eta=round(eta),
            gradient=_finite(logs.get("grad_norm")),
            positive=_finite(self._loss.positive() if hasattr(self._loss, "positive") else None),
        )
        minutes, seconds = divmod(round(eta), 60)
        say(f"step {state.global_step}/{state.max_steps}  loss {loss:.4f}  {minutes}:{seconds:02d} left")

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._each_epoch:
            self._each_epoch(state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def _finite(value: float | None) -> float | None:
    """Round a number for a progress file; None where there is none."""
    return round(float(value), 6) if value is not None and math.isfinite(value) else None
