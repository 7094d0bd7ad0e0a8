"""What a larger encoder says of a batch, as a loss for the smaller one that has its vocabulary."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, normalize, softmax

from training.recipe.batches import Batch, Tokens
from training.recipe.encoders import ContextEncoder, mean
from vcs_demo.errors import UserError


def chosen_layers(teacher: ContextEncoder, texts: Tokens, count: int) -> list[int]:
    """Drop layers one by one, each time the one whose absence turns the texts' vectors least; return the others.

    Raises:
        UserError: the teacher has fewer layers, or none would be left.
    """
    layers = list(teacher.fast.encoder.layer)
    left = list(range(len(layers)))
    if not 1 <= count <= len(left):
        raise UserError(f"--layers is {count}; the base has {len(left)}.")

    def vectors(chosen: Sequence[int]) -> Tensor:
        teacher.fast.encoder.layer = torch.nn.ModuleList(layers[i] for i in chosen)
        with torch.no_grad():
            return normalize(teacher(texts))

    whole = vectors(left)
    while len(left) > count:
        tried = [[other for other in left if other != i] for i in left]
        left = max(tried, key=lambda chosen: float((vectors(chosen) * whole).sum()))
    teacher.fast.encoder.layer = torch.nn.ModuleList(layers)
    return left


@dataclass(frozen=True)
class Distillation:
    """Draws a tower to a teacher: token by token, text by text, and in how a batch's passages rank for its queries.

    The teacher reads each text with the prompt that it was trained with, the tower with its own; `<s>` and the prompts
    are left out where tokens are compared. The loss is the sum, for the queries and for the other texts, of

        5 · mean (state − teacher's)² + 10 · mean (1 − cosine) + KL(this text → the others' texts),

    the divergence (Hinton et al., arXiv 1503.02531) being from the teacher's softmax of cosines over a temperature to
    the tower's. Negatives take part as passages, and have no softmax of their own.

    Attributes:
        teacher: the larger encoder; it is not trained.
        prompts: its prompts of queries and of passages, token ids.
        temperature: of the softmaxes.
    """

    teacher: ContextEncoder
    prompts: Sequence[np.ndarray]
    temperature: float = 0.02

    def __call__(self, tower: ContextEncoder, batch: Batch) -> Tensor:
        """Return the loss of a batch, a scalar."""
        query, passage = self.prompts
        queries, theirs, unlike = self._read(tower, batch.queries, query, 1)
        others, their_others, unlike_too = self._read(tower, batch.passages + batch.negatives, passage, 0)
        loss = 5 * (unlike + unlike_too)
        for ours, wanted in ((queries, theirs), (others, their_others)):
            loss = loss + 10 * (1 - torch.cosine_similarity(ours, wanted)).mean()
        scores, wanted = (
            normalize(q) @ normalize(p).T / self.temperature
            for q, p in ((queries, others), (theirs, their_others))
        )
        size = len(batch.queries)
        for rows, targets in ((scores, wanted), (scores.T[:size], wanted.T[:size])):
            loss = loss + kl_div(log_softmax(rows, dim=1), softmax(targets, dim=1), reduction="batchmean")
        return loss

    def _read(
        self, tower: ContextEncoder, tokens: Tokens, prompt: np.ndarray, prompted: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the vectors of both, each (n, 384), and the mean squared difference of their tokens' states.

        The teacher reads `prompt` in the place of the first `prompted` (0 or 1) tokens, the tower's own prompt.
        """
        rows, ours, wanted, unlike, total = [], [], [], torch.zeros(()), torch.zeros(())
        for part in tower.microbatches(tokens):
            rows += part
            longest = tower.facts["places"] - 2 - len(prompt)  # so that both cut a text at the same token
            texts = [tokens[i][:longest] for i in part]
            states, mask = tower.states(texts)
            with torch.no_grad():
                theirs, their_mask = self.teacher.states(
                    [np.append(prompt, text[prompted:]) for text in texts]
                )
            ours.append(mean(states, mask))
            wanted.append(mean(theirs, their_mask))
            mask = mask[:, 1 + prompted :]  # without <s> and the prompt
            theirs = theirs[:, 1 + len(prompt) : 1 + len(prompt) + mask.shape[1]]
            apart = (states[:, 1 + prompted :] - theirs).square().mean(dim=-1) * mask
            unlike, total = unlike + apart.sum(), total + mask.sum()
        place = torch.tensor(rows).argsort()
        return torch.cat(ours)[place], torch.cat(wanted)[place], unlike / total
