"""The training loop of the recipe: one tower, batches of pairs, one loss; resumable."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.losses import ContextSearchLoss
from training.recipe.batches import Batch, Batches
from training.recipe.encoders import Tower
from training.recipe.settings import TowerSettings
from vcs_demo.errors import UserError
from vcs_demo.files import written_whole
from vcs_demo.terminal import say

Loss = Callable[[Tower, Batch], Tensor]


def of_pairs(loss: ContextSearchLoss) -> Loss:
    """Return the loss of a batch's (query, passage) pairs and their negatives."""

    def value(tower: Tower, batch: Batch) -> Tensor:
        size = len(batch.queries)
        vectors = tower(batch.queries + batch.passages + batch.negatives)
        return loss.of_embeddings([vectors[:size], vectors[size : 2 * size], vectors[2 * size :]])

    return value


def train(
    tower: Tower,
    batches: Batches,
    loss: Loss,
    settings: TowerSettings,
    folder: Path,
    watch: Callable[[int, Tower], None] = lambda step, tower: None,
) -> None:
    """Train the tower in place, from the last checkpoint in the folder if there is one.

    Args:
        tower: what is trained.
        batches: where the batch of each step comes from.
        loss: of a batch, a scalar.
        settings: steps, learning rate and the like.
        folder: where `checkpoint.pt` is written every `settings.every` steps and at the end, whole or not at all.
        watch: called at every checkpoint and before the first step.

    Raises:
        UserError: the loss is not a number; the last checkpoint stays.
    """
    optimizer = torch.optim.AdamW(tower.parameters(), lr=settings.rate, betas=(0.9, 0.98), weight_decay=0.0)
    path, step = folder / "checkpoint.pt", 0
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        state = torch.load(path, weights_only=True)
        tower.load_state_dict(state["tower"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
        tower.after_step()
        say(f"going on from step {step} of {settings.steps}")
    else:
        watch(0, tower)
    began, first, losses, tokens = time.monotonic(), step, [], 0
    while step < settings.steps:
        share = min(1, (step + 1) / settings.warmup) * max(0.02, 1 - step / settings.steps)
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * share
        batch = batches.draw(step)
        value = loss(tower, batch)
        if not torch.isfinite(value):
            raise UserError(f"The loss is {value.item()} at step {step}; give a lower --rate.")
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        tower.before_step()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
        tower.after_step()
        step += 1
        losses.append(value.item())
        tokens += sum(map(len, batch.queries + batch.passages + batch.negatives))
        if step % 10 == 0:
            seconds = time.monotonic() - began
            left = seconds / (step - first) * (settings.steps - step)
            say(
                f"step {step}/{settings.steps}  loss {np.mean(losses[-10:]):.4f}  "
                f"{tokens / seconds:,.0f} tokens/s  {left / 60:.1f} min left"
            )
        if step % settings.every == 0 or step == settings.steps:
            state = {"tower": tower.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            with written_whole(path, "wb") as file:
                torch.save(state, file)
            watch(step, tower)
