import math

import pytest
import torch
from sentence_transformers import SentenceTransformer

from training.losses import ContextSearchLoss
from training.retraining.dataset import TrainingSet
from training.retraining.settings import FitSettings
from training.retraining.trainer import DistinctQueries, TrainingDiverged, fine_tune
from vcs_demo.text import content_hash

WORDS = "thuốc đau đầu gan tim phổi bệnh trẻ em uống nước sốt ho da mắt".split()
ROWS = [
    (f"{WORDS[i // 2]} là gì", f"{WORDS[i // 2]} và {WORDS[i % 5]}", f"{WORDS[-1 - i // 2]} {WORDS[i]}")
    for i in range(12)
]
RELEVANT = frozenset((content_hash(q), content_hash(p)) for q, p, _ in ROWS)
DATA = TrainingSet(ROWS, RELEVANT, {})


def settings(**more):
    return FitSettings(
        **{"epochs": 1.5, "batch_size": 4, "learning_rate": 1e-3, "seed": 1, "save_steps": 2} | more
    )


def train(path, checkpoints, report=lambda **_: None, **more):
    model = SentenceTransformer(str(path), device="cpu")
    loss = ContextSearchLoss(model, negatives="both", known=DATA.known())
    steps = fine_tune(model, loss, DATA.as_dataset(True), settings(**more), checkpoints, report)
    return {name: weights.clone() for name, weights in model.state_dict().items()}, steps


def test_batches_hold_no_query_twice_and_all_rows_and_are_even():
    dataset = DATA.as_dataset(True)
    seen = []
    for epoch in (0, 1):
        sampler = DistinctQueries(dataset, batch_size=5, drop_last=False, seed=3)
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == math.ceil(12 / 5)
        assert [len(batch) for batch in batches] == [4, 4, 4]
        assert sorted(row for batch in batches for row in batch) == list(range(12))
        assert all(len({ROWS[row][0] for row in batch}) == len(batch) for batch in batches)
        assert batches == list(sampler)
        seen.append(batches)
    assert seen[0] != seen[1]


@pytest.mark.parametrize("stop", [3, 5])
def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(stop, tiny_model_dir, tmp_path):
    whole, steps = train(tiny_model_dir, tmp_path / "whole")
    assert steps == 5

    def interrupt(step, **_):
        if step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny_model_dir, tmp_path / "stopped", interrupt)
    resumed = []
    again, steps = train(tiny_model_dir, tmp_path / "stopped", lambda step, **_: resumed.append(step))
    assert steps == 5 and resumed == list(range(stop // 2 * 2 + 1, 6))
    assert all(torch.equal(again[name], whole[name]) for name in whole)


def test_a_run_stopped_after_its_last_step_takes_no_other(tiny_model_dir, tmp_path):
    whole, _ = train(tiny_model_dir, tmp_path / "run")
    resumed = []
    again, steps = train(tiny_model_dir, tmp_path / "run", lambda step, **_: resumed.append(step))
    assert steps == 5 and not resumed
    assert all(torch.equal(again[name], whole[name]) for name in whole)


@pytest.mark.parametrize("prompts", [{"query": "gan ", "passage": "tim "}, {"corpus": "tim "}, {}])
def test_training_reads_a_text_as_encoding_does(prompts, tiny_model_dir, tmp_path):
    model = SentenceTransformer(str(tiny_model_dir), device="cpu")
    model.prompts = prompts
    trained: list[set] = [set(), set()]

    class Spy(ContextSearchLoss):
        def forward(self, sentence_features, labels=None):
            for kind, features in zip((0, 1, 1), sentence_features, strict=True):
                trained[kind] |= _texts(features)
            return super().forward(sentence_features, labels)

    loss = Spy(model, negatives="both", known=DATA.known())
    fine_tune(model, loss, DATA.as_dataset(True), settings(epochs=1), tmp_path, lambda **_: None)
    encoded: list[set] = [set(), set()]
    model.eval().register_forward_pre_hook(lambda _, inputs: encoded[kind].update(_texts(inputs[0])))
    kind = 0
    model.encode_query([q for q, _, _ in ROWS])
    kind = 1
    model.encode_document([text for _, p, n in ROWS for text in (p, n)])
    assert trained == encoded


def _texts(features):
    return {
        tuple(ids[mask.bool()].tolist())
        for ids, mask in zip(features["input_ids"], features["attention_mask"], strict=True)
    }


def test_a_training_that_diverges_says_so_and_is_not_a_model(tiny_model_dir, tmp_path):
    with pytest.raises(TrainingDiverged, match="lower --learning-rate"):
        train(tiny_model_dir, tmp_path, learning_rate=1e30)


def test_weights_that_diverge_at_the_last_step_are_no_model_either(tiny_model_dir, tmp_path):
    model = SentenceTransformer(str(tiny_model_dir), device="cpu")
    loss = ContextSearchLoss(model, negatives="both", known=DATA.known())

    def spoil(**_):
        next(model.parameters()).data.fill_(math.nan)

    with pytest.raises(TrainingDiverged, match="at step 1"):
        fine_tune(model, loss, DATA.as_dataset(True), settings(epochs=0.1), tmp_path, spoil)
