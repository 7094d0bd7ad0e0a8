"""The teacher's loss against its formula, the layers that stay, and the encoder that is taught."""

import numpy as np
import pytest
import torch

from training.recipe.batches import Batch
from training.recipe.distillation import Distillation, chosen_layers
from training.recipe.e5 import BOS, EOS, Pretrained
from training.recipe.encoders import ContextEncoder, mean
from vcs_demo.errors import UserError


def test_the_layers_that_change_least_are_dropped(pretrained):
    weights = {name: value.clone() for name, value in pretrained.weights.items()}
    for name in weights:
        if name.startswith("encoder.layer.1.") and ".output.dense." in name:
            weights[name].zero_()  # the layer adds nothing
    teacher = ContextEncoder.of(Pretrained(pretrained.pieces, weights))
    texts = [np.arange(n, 2 * n, dtype=np.int32) for n in (5, 9, 30)]
    before = teacher(texts)
    assert chosen_layers(teacher, texts, 2) == [0, 2] and chosen_layers(teacher, texts, 3) == [0, 1, 2]
    torch.testing.assert_close(teacher(texts), before)
    with pytest.raises(UserError, match="--layers is 4; the base has 3"):
        chosen_layers(teacher, texts, 4)


class Table:
    """An encoder whose states are random vectors of the tokens, in float64: nothing blurs the formula."""

    facts, MICROBATCH, microbatches = {"places": 64}, 40, ContextEncoder.microbatches

    def __init__(self, seed):
        self.table = torch.randn(300, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))

    def states(self, tokens):
        ids = [torch.tensor([BOS, *text.tolist(), EOS]) for text in tokens]
        states = torch.nn.utils.rnn.pad_sequence([self.table[one] for one in ids], batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(one)) for one in ids], batch_first=True)
        return states, mask


def _softmax(scores):
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def _oracle(tower, teacher, batch, prompts, temperature):
    """Compute the documented loss text by text; return its three terms, and the divergence in both directions."""

    def states(encoder, ids):
        return encoder.states([ids])[0][0].numpy()  # of <s>, the tokens, </s>

    squares, cosines, unit = [], [], []
    texts = ((batch.queries, prompts[0], 1), (batch.passages + batch.negatives, prompts[1], 0))
    for side, prompt, own in texts:
        ours = [states(tower, ids) for ids in side]
        theirs = [states(teacher, np.concatenate([prompt, ids[own:]])) for ids in side]
        pairs = list(zip(ours, theirs, strict=True))
        squares.append(np.concatenate([(a[1 + own :] - b[1 + len(prompt) :]) ** 2 for a, b in pairs]).mean())
        a, b = (np.array([one.mean(axis=0) for one in side]) for side in (ours, theirs))
        a, b = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (a, b))
        cosines.append((1 - (a * b).sum(axis=1)).mean())
        unit.append((a, b))
    scores, wanted = (queries @ others.T / temperature for queries, others in zip(*unit, strict=True))
    size, divergences = len(batch.queries), []
    for ours, theirs in ((scores, wanted), (scores.T[:size], wanted.T[:size])):
        p, q = _softmax(theirs), _softmax(ours)
        divergences.append((p * (np.log(p) - np.log(q))).sum(axis=1).mean())
    return 5 * sum(squares), 10 * sum(cosines), *divergences


def test_the_loss_is_the_documented_formula():
    tower, teacher = Table(0), Table(1)
    rng = np.random.default_rng(0)
    texts = [rng.integers(4, 300, size=n).astype(np.int32) for n in (3, 12, 9, 14, 7)]
    query, prompts = np.array([7], np.int32), [np.array([5, 6], np.int32), np.array([8, 9, 4], np.int32)]
    batch = Batch([np.append(query, text) for text in texts[:2]], texts[2:4], texts[4:])
    parts = _oracle(tower, teacher, batch, prompts, 0.1)
    assert min(parts) > 0.01  # a term left out would show
    loss = Distillation(teacher, prompts, temperature=0.1)(tower, batch)
    assert loss.item() == pytest.approx(sum(parts), rel=1e-6)


def test_an_encoder_that_is_its_own_teacher_has_nothing_to_learn(pretrained):
    teacher, other = ContextEncoder.of(pretrained), ContextEncoder.of(pretrained, [0])
    rng = np.random.default_rng(0)
    texts = [rng.integers(4, 300, size=n).astype(np.int32) for n in (3, 60, 9, 14)]
    prompt = np.array([7], dtype=np.int32)
    batch = Batch([np.append(prompt, t) for t in texts[:2]], texts[2:], [])
    distil = Distillation(teacher, [prompt, prompt[:0]])
    assert distil(ContextEncoder.of(pretrained), batch).item() == pytest.approx(0, abs=1e-4)
    something = distil(other, batch)
    assert something.item() > 0.01
    something.backward()
    other.before_step()
    assert all(weights.grad is not None for name, weights in other.named_parameters() if "layer" in name)
    assert all(weights.grad is None for weights in [*teacher.parameters(), *teacher.fast.parameters()])


def test_tokens_are_compared_with_the_same_tokens_whatever_the_prompts(monkeypatch):
    """States that are the token's number, for a teacher whose prompts are of other lengths than the tower's."""
    tower = ContextEncoder(300, 1, inner=64)

    def states(self, tokens):
        width = 2 + max(map(len, tokens))
        ids, mask = torch.zeros(len(tokens), width), torch.zeros(len(tokens), width)
        for row, text in enumerate(tokens):
            ids[row, 1 : 1 + len(text)] = torch.from_numpy(text).float()
            mask[row, : 2 + len(text)] = 1
        return ids[:, :, None].repeat(1, 1, 384).requires_grad_(), mask

    monkeypatch.setattr(ContextEncoder, "states", states)
    texts = [np.arange(5, 5 + n, dtype=np.int32) for n in (4, 9, 230, 2)]
    prompts = [np.array([1, 2, 3], np.int32), np.array([1, 2], np.int32)]
    distil = Distillation(ContextEncoder(300, 1, inner=64), prompts)
    for prompt, prompted in ((prompts[0], 1), (prompts[1], 0)):
        own = [np.append(np.int32(299), text) if prompted else text for text in texts]
        assert distil._read(tower, own, prompt, prompted)[2].item() == 0


def test_padding_and_company_do_not_change_a_vector(pretrained):
    tower = ContextEncoder.of(pretrained)
    texts = [np.arange(4, 4 + n, dtype=np.int32) for n in (3, 230, 40)]  # one longer than there are positions
    alone = torch.cat([tower([text]) for text in texts])
    torch.testing.assert_close(tower(texts), alone, atol=0.03, rtol=0.03)
    states, mask = tower.states(texts)
    assert states.shape == (3, 224, 384) and mask.sum(dim=1).tolist() == [5, 224, 42]
    torch.testing.assert_close(mean(states, mask), alone, atol=0.03, rtol=0.03)
