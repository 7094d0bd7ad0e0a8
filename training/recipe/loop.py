"""The training loop of the recipe: one tower, batches of pairs, a teacher or judged pairs beside them; resumable."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.losses import ContextSearchLoss
from training.recipe.batches import Batches, Tokens
from training.recipe.distillation import Distillation
from training.recipe.encoders import ContextEncoder, StaticTable
from vcs_demo.errors import UserError
from vcs_demo.terminal import say

Tower = StaticTable | ContextEncoder


@dataclass(frozen=True)
class Settings:
    """How long and how fast; see `python -m training.recipe encoder --help`."""

    steps: int
    rate: float
    warmup: int = 20
    every: int = 100
    judged_weight: float = 0.0
    judged_size: int = 128
    pairs_weight: float = 1.0


@dataclass(frozen=True)
class Judged:
    """Sentence pairs with a score in [0, 1], such as entailment 1, neutral 0.5, contradiction 0."""

    first: Tokens
    second: Tokens
    score: np.ndarray


def train(
    tower: Tower,
    batches: Batches,
    loss: ContextSearchLoss,
    settings: Settings,
    folder: Path,
    judged: Judged | None = None,
    watch: Callable[[int, Tower], None] = lambda step, tower: None,
    distillation: Distillation | None = None,
) -> None:
    """Train the tower in place, from the last checkpoint in the folder if there is one.

    Args:
        tower: what is trained.
        batches: where the batch of each step comes from.
        loss: of the pairs; its `negatives` are `both`.
        settings: steps, learning rate and the like; the rate rises over the warm-up and then falls linearly.
        folder: where `checkpoint.pt` is written every `settings.every` steps and at the end, whole or not at all.
        judged: sentence pairs whose order the cosines should have (CoSENT), weighted by `settings.judged_weight`.
        watch: called at every checkpoint and before the first step.
        distillation: a teacher's loss beside that of the pairs, which is then weighted by `settings.pairs_weight`.

    Raises:
        UserError: the loss is not a number; the last checkpoint stays.
    """
    optimizer = torch.optim.AdamW(tower.parameters(), lr=settings.rate, betas=(0.9, 0.98), weight_decay=0.0)
    path, step = folder / "checkpoint.pt", 0
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        kept = torch.load(path, weights_only=True)
        tower.load_state_dict(kept["tower"])
        optimizer.load_state_dict(kept["optimizer"])
        step = kept["step"]
        tower.after_step()
        say(f"going on from step {step} of {settings.steps}")
    else:
        watch(0, tower)
    began, first, sums, tokens = time.monotonic(), step, [], 0
    while step < settings.steps:
        share = min(1, (step + 1) / settings.warmup) * max(0.02, 1 - step / settings.steps)
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * share
        batch = batches.draw(step)
        taught = torch.zeros(())
        if distillation is None:
            vectors = tower(batch.queries + batch.passages + batch.negatives)
        else:
            vectors, taught = distillation(tower, batch)
        size = len(batch.queries)
        value = taught
        if settings.pairs_weight:
            pairs = loss.of_embeddings([vectors[:size], vectors[size : 2 * size], vectors[2 * size :]])
            value = value + settings.pairs_weight * pairs
        if judged is not None and settings.judged_weight:
            value = value + settings.judged_weight * _judged_loss(tower, judged, settings.judged_size, step)
        if not torch.isfinite(value):
            raise UserError(f"The loss is {value.item()} at step {step}; give a lower --rate.")
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        tower.before_step()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
        tower.after_step()
        step += 1
        sums.append(value.item())
        tokens += (
            sum(map(len, batch.queries)) + sum(map(len, batch.passages)) + sum(map(len, batch.negatives))
        )
        if step % 10 == 0:
            seconds = time.monotonic() - began
            left = seconds / (step - first) * (settings.steps - step)
            say(
                f"step {step}/{settings.steps}  loss {np.mean(sums[-10:]):.4f}  "
                f"{tokens / seconds:,.0f} tokens/s  {left / 60:.1f} min left"
            )
        if step % settings.every == 0 or step == settings.steps:
            state = {"tower": tower.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            torch.save(state, path.with_suffix(".tmp"))
            os.replace(path.with_suffix(".tmp"), path)
            watch(step, tower)


def _judged_loss(tower: Tower, judged: Judged, size: int, step: int) -> Tensor:
    """CoSENT: log(1 + Σ exp(20 (cos_j − cos_i))) over pairs i, j of a batch where i is scored above j."""
    rows = np.random.default_rng([step, 1]).choice(
        len(judged.score), min(size, len(judged.score)), replace=False
    )
    vectors = tower([judged.first[i] for i in rows] + [judged.second[i] for i in rows])
    first, second = torch.nn.functional.normalize(vectors, dim=-1).chunk(2)
    cosine, score = (first * second).sum(dim=1) * 20, torch.from_numpy(judged.score[rows])
    gaps = (cosine[None, :] - cosine[:, None])[score[:, None] > score[None, :]]  # cos_j − cos_i
    return torch.logsumexp(torch.cat([gaps.new_zeros(1), gaps]), dim=0)
