"""Batches, and the loop that trains on them."""

import contextlib
import unicodedata

import pytest
import torch

from training.losses import ContextSearchLoss
from training.recipe import corpus
from training.recipe.batches import Batches, Kind
from training.recipe.corpus import Pair
from training.recipe.encoders import ContextEncoder, StaticTable
from training.recipe.loop import of_pairs, train
from training.recipe.settings import TowerSettings
from training.recipe.tokenizer import QUERY, UNKNOWN, wordpiece
from vcs_demo.errors import UserError

LOSS = of_pairs(ContextSearchLoss(None, weight="infonce", temperature=0.05, negatives="both"))


def kind(rows):
    tokenizer = wordpiece([" ".join(row) for row in rows], 200)
    return Kind.of([Pair(*row) for row in rows], tokenizer, 20), tokenizer


def batches_of(made, size):
    return Batches({"k": made}, {"k": 1}, size=size, seed=0, query_token=1, longest=20)


def test_tokens_tell_tone_marks_apart_in_either_unicode_form(data):
    tokenizer = wordpiece(list(corpus.texts(data)), 900)
    sick = tokenizer.encode("bệnh").ids
    assert sick == tokenizer.encode(unicodedata.normalize("NFD", "BỆNH")).ids != tokenizer.encode("bênh").ids
    assert tokenizer.encode(f"{QUERY} gan").ids[0] == tokenizer.token_to_id(QUERY)
    assert UNKNOWN not in tokenizer.encode("uống thuốc sau khi ăn").tokens


def test_no_text_is_twice_in_a_batch_and_a_positive_is_no_negative():
    made, _ = kind([(f"hỏi {i % 5}", f"đáp {i % 7}", f"đáp {(i + 1) % 7}") for i in range(35)])
    batches = batches_of(made, 4)
    for step in range(20):
        batch = batches.draw(step)
        texts = [tuple(ids) for ids in batch.passages]
        assert len(set(texts)) == len(texts) == len({tuple(ids) for ids in batch.queries})
        assert not set(texts) & {tuple(ids) for ids in batch.negatives}
        assert all(ids[0] == 1 for ids in batch.queries)
        assert [tuple(ids) for ids in batches.draw(step).passages] == texts


def test_pairs_are_read_as_they_were_kept(tmp_path):
    made, _ = kind([("hỏi một", "đáp", ""), ("hỏi hai", "đáp", "không")])
    made.save(tmp_path / "k.npz")
    read = Kind.load(tmp_path / "k.npz")
    assert [ids.tolist() for ids in read.texts] == [ids.tolist() for ids in made.texts]
    assert (read.query.tolist(), read.passage.tolist(), read.negative.tolist()) == ([0, 2], [1, 1], [-1, 3])


@pytest.mark.parametrize("tower", [StaticTable, lambda size: ContextEncoder(size, 1, inner=64)])
def test_training_learns_and_a_stopped_run_ends_as_an_unstopped_one(tower, tmp_path):
    made, tokenizer = kind([(f"a{i} b{i}", f"a{i} c{i} d{i}", f"e{i}") for i in range(16)])
    batches, seen, losses = batches_of(made, 8), [], []

    def loss(tower, batch):
        value = LOSS(tower, batch)
        losses.append(value.item())
        return value

    def run(name, steps, total=12):
        torch.manual_seed(0)
        one = tower(tokenizer.get_vocab_size())

        def watch(step, _):
            seen.append(step)
            if step == steps < total:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) if steps < total else contextlib.nullcontext():
            settings = TowerSettings(steps=total, rate=0.003, warmup=2, every=4)
            train(one, batches, loss, settings, tmp_path / name, watch)
        return one.state_dict()

    whole = run("whole", 12)
    assert sum(losses[-3:]) < sum(losses[:3])
    run("stopped", 8)
    resumed = run("stopped", 12)
    assert seen == [0, 4, 8, 12, 0, 4, 8, 12]
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(tmp_path):
    made, _ = kind([(f"a{i}", f"b{i}", "") for i in range(8)])
    tower = StaticTable(200)
    tower.table.data.fill_(float("nan"))
    with pytest.raises(UserError, match="at step 0; give a lower --rate"):
        train(tower, batches_of(made, 4), LOSS, TowerSettings(steps=5, rate=0.1), tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()
