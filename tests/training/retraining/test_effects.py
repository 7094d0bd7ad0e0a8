"""What a label does to the loss: figures by hand, and as the loss itself has them."""

import csv
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from annotations.candidates import Candidate, LabelledCandidate
from annotations.exchange.manifest import export_labels
from annotations.store.label_store import LabelStore
from training.effects import main
from training.losses import ContextSearchLoss, KnownPositives
from training.retraining.effect_report import effects_of
from training.retraining.effects import denominators, effects, summary
from training.retraining.settings import EffectSettings
from vcs_demo.text import content_hash

ROOT = Path(__file__).resolve().parents[3]


class Fixed:
    """A ranker whose vectors are given; each text may be asked for once as a query and once as a document."""

    def __init__(self, vectors):
        self.vectors, self.asked = vectors, []

    def encode(self, texts, *, query=False):
        self.asked += [(text, query) for text in texts]
        return np.array([self.vectors[text] for text in texts], dtype=np.float32)


def said(query, positive, passage, label):
    candidate = Candidate.create(query=query, positive=positive, passage=passage, source="mini")
    return LabelledCandidate(**vars(candidate), label=label, votes={label: 1}, annotators=1)


def at(cosine):
    """Return the unit vector with this cosine to (1, 0)."""
    return [cosine, math.sqrt(1 - cosine**2)]


VECTORS = {"q": [1, 0], "p": at(0.8), "other p": at(0.2), "hard": at(0.6), "fn": at(0.7), "far": at(0.0)}
VECTORS |= {"r": [0, 1], "unsure": at(0.5)}
LABELS = [
    said("q", "p", "hard", "hard"),
    said("q", "p", "fn", "false_negative"),
    said("q", "p", "far", "trivial"),
    said("q", "p", "unsure", "unsure"),
    said("r", "other p", "far", "trivial"),
]


def term(positive, *others, weight="modified"):
    p = math.exp(positive) / (math.exp(positive) + sum(map(math.exp, others)))
    return -math.log(p) * ((1 - p) if weight == "modified" else 1)


@pytest.mark.parametrize("weight", ["modified", "infonce"])
def test_every_label_does_what_it_says_by_hand(weight):
    # τ = 1; in the denominator of q: p (.8), the hard negative (.6), and the positive of r (.2) as in-batch one.
    hard, false, trivial, unsure, _ = effects(LABELS, Fixed(VECTORS), EffectSettings(weight, 1))
    assert (hard.positive_similarity, hard.similarity) == pytest.approx((0.8, 0.6))
    assert hard.margin == pytest.approx(0.2) and hard.negatives == 1

    def by_hand(*cosines):
        return pytest.approx(term(*cosines, weight=weight), rel=1e-6)

    assert hard.without == by_hand(0.8, 0.2)
    assert hard.with_label == hard.as_negative == by_hand(0.8, 0.2, 0.6)
    assert hard.difference == pytest.approx(hard.with_label - hard.without) and hard.difference > 0
    assert false.without == by_hand(0.8, 0.2, 0.6)
    assert false.as_negative == by_hand(0.8, 0.2, 0.6, 0.7)
    both = [term(0.8, 0.2, 0.6, weight=weight), term(0.7, 0.2, 0.6, weight=weight)]
    assert false.with_label == pytest.approx(sum(both) / 2, rel=1e-6)
    for effect, cosine in ((trivial, 0.0), (unsure, 0.5)):
        assert effect.with_label == effect.without == by_hand(0.8, 0.2, 0.6)
        assert effect.as_negative == by_hand(0.8, 0.2, 0.6, cosine) and effect.difference == 0


def test_a_false_negative_that_mining_takes_for_a_negative_raises_the_term_and_its_label_mends_it():
    false = effects(LABELS, Fixed(VECTORS), EffectSettings(temperature=0.1))[1]
    assert false.as_negative > false.with_label and false.as_negative > false.without


def test_every_text_is_encoded_once():
    ranker = Fixed(VECTORS)
    effects(LABELS, ranker, EffectSettings())
    assert len(ranker.asked) == len(set(ranker.asked)) == 8
    assert {text for text, query in ranker.asked if query} == {"q", "r"}


@pytest.mark.parametrize("weight", ["modified", "infonce"])
@pytest.mark.parametrize("temperature", [0.02, 0.1, 0.7])
def test_the_terms_are_those_of_the_loss(weight, temperature):
    # Three queries with a positive and a hard negative each, the third with a false negative too.
    generator = np.random.default_rng(0)
    unit = generator.normal(size=(10, 6))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    names = [*(f"{kind}{row}" for kind in "qpn" for row in range(3)), "f2"]
    vectors = dict(zip(names, unit.astype(np.float32), strict=True))
    labels = [said(f"q{row}", f"p{row}", f"n{row}", "hard") for row in range(3)]
    labels.append(said("q2", "p2", "f2", "false_negative"))
    found = effects(labels, Fixed(vectors), EffectSettings(weight, temperature, batch_size=3))

    def loss(query, positive, hard):
        """Return the loss of this row in a batch with the other queries' positives; of negatives, its own alone."""
        others = [row for row in range(3) if f"q{row}" != query]
        rows = [(query, positive), *((f"q{row}", f"p{row}") for row in others)]
        columns = [[vectors[row[0]] for row in rows], [vectors[row[1]] for row in rows]]
        columns.append([vectors[hard or positive]] * 3)
        number = {name: place for place, name in enumerate(names)}
        known = KnownPositives(
            [number[row[0]] for row in rows],
            [number[row[1]] for row in rows],
            [number[hard] if hard else None, None, None],
            frozenset((number[q], number[p]) for q, p in rows),
        )
        columns = [torch.tensor(np.array(column), dtype=torch.float64) for column in columns]
        function = ContextSearchLoss(
            torch.nn.Identity(), weight=weight, temperature=temperature, negatives="both", known=known
        )
        seen = []  # the mean over the batch says nothing of one row: look at the row's own log p
        function._weighted = lambda log_p: seen.append(log_p) or log_p.mean()
        function.of_embeddings(columns, torch.arange(3))
        own = ContextSearchLoss(torch.nn.Identity(), weight=weight)._weighted(seen[0][:1])
        return own.item()

    for row in range(2):
        assert found[row].without == pytest.approx(loss(f"q{row}", f"p{row}", None), rel=1e-5)
        assert found[row].with_label == pytest.approx(loss(f"q{row}", f"p{row}", f"n{row}"), rel=1e-5)
    both = loss("q2", "p2", "n2"), loss("q2", "f2", "n2")
    assert found[3].with_label == pytest.approx(sum(both) / 2, rel=1e-5)


def test_what_is_or_may_be_relevant_is_in_no_denominator():
    labels = [
        *LABELS,
        said("q", "p", "other p", "false_negative"),  # r's positive, which also answers q
        said("s", "also", "hard", "hard"),
        said("t", "known", "hard", "hard"),
    ]
    q, known = content_hash("q"), content_hash("known")
    relevant, negatives = denominators(labels, 32, 0, frozenset({(q, known), ("0", known)}))
    assert {text for query, text in relevant if query == q} == {
        content_hash(text) for text in ("p", "fn", "unsure", "other p", "known")
    }
    assert set(negatives[q]) == {content_hash(text) for text in ("hard", "also")}
    assert set(negatives[content_hash("r")]) == {content_hash(text) for text in ("p", "also", "known")}


def test_a_hard_label_that_a_false_negative_one_overrules_does_nothing():
    labels = [*LABELS, said("q", "other p", "fn", "hard")]
    effect = effects(labels, Fixed(VECTORS), EffectSettings(temperature=1))[-1]
    assert effect.with_label == effect.without < effect.as_negative


def test_a_candidate_that_is_another_querys_positive_is_left_out_where_it_is_left_out():
    labels = [said("q", "p", "other p", "hard"), said("r", "other p", "far", "trivial")]
    effect = effects(labels, Fixed(VECTORS), EffectSettings(temperature=1))[0]
    assert effect.negatives == 0 and effect.without == 0
    assert effect.as_negative == pytest.approx(term(0.8, 0.2), rel=1e-6)


def test_the_sample_is_fixed_by_seed_and_query_and_of_the_size_of_a_batch():
    labels = [said(f"q{row}", f"p{row}", f"n{row}", "trivial") for row in range(40)]
    _, first = denominators(labels, 8, 1)
    assert {len(found) for found in first.values()} == {7}
    assert all(content_hash(f"p{row}") not in first[content_hash(f"q{row}")] for row in range(40))
    assert denominators(labels[::-1], 8, 1)[1] == first != denominators(labels, 8, 2)[1]
    assert {len(found) for found in denominators(labels, 99, 1)[1].values()} == {39}


def test_the_summary_averages_each_query_first():
    labels = [said("q", "p", "hard", "hard"), said("q", "p", "unsure", "hard"), said("r", "p", "far", "hard")]
    found = effects(labels, Fixed(VECTORS), EffectSettings(temperature=1))
    row = summary(found)["hard"]
    assert (row["labels"], row["queries"]) == (3, 2)
    mean, low, high = row["similarity"]  # q: (.6 + .5) / 2 = .55; r: 1
    assert (
        mean == pytest.approx((0.55 + 1) / 2) and low is high is None
    )  # of two queries no interval says anything
    assert list(summary(found)) == ["hard"] and summary([]) == {}
    assert effects([], Fixed(VECTORS), EffectSettings()) == []


@pytest.fixture
def labels(tmp_path):
    with LabelStore(tmp_path / "labels.db") as store:
        for number, label in enumerate(["hard", "false_negative", "trivial", "unsure"]):
            candidate = Candidate.create(
                query=f"Đau đầu uống thuốc gì {number}?",
                positive=f"Thuốc giảm đau {number}.",
                passage=f"=Gan | tim\x1b[31m {number}." + " phổi" * 90,
                source="mini",
            )
            store.add_candidates([candidate])
            store.label(candidate.id, "an", label, token=str(number))
    return tmp_path / "labels.db"


def test_the_command_prints_tables_and_writes_csv_and_json(labels, tiny_model_dir, tmp_path, capsys):
    more = ["--csv", str(tmp_path / "e.csv"), "--json", str(tmp_path / "e.json"), "--show", "2"]
    assert main(["--labels", str(labels), "--base", str(tiny_model_dir), *more]) == 0
    out = capsys.readouterr().out
    assert "4 of 4 candidates labelled (coverage 1.000)" in out and "modified loss, τ = 0.1" in out
    assert re.search(r"\| hard +\| 1 +\| 1 +\| ", out) and "\x1b" not in out and "¦ tim" in out
    shown = out[re.search(r"\| query +\| candidate", out).start() :].splitlines()[2:]
    assert len(shown) == 2 and all(len(line) < 400 for line in shown)
    facts = json.loads((tmp_path / "e.json").read_text("utf-8"))
    assert facts["labels"]["labelled"] == len(facts["effects"]) == 4
    assert facts["settings"] == {"loss": "modified", "temperature": 0.1, "batch_size": 32, "seed": 42}
    with (tmp_path / "e.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["hard", "false_negative", "trivial", "unsure"]
    assert float(rows[0]["difference"]) == pytest.approx(facts["effects"][0]["difference"])
    assert rows[0]["passage"].startswith("'=Gan")  # no formula for a spreadsheet

    with LabelStore(labels, read_only=True) as store:
        export_labels(store, tmp_path / "labels.csv")
    arguments = ["--labels", str(tmp_path / "labels.csv"), "--base", str(tiny_model_dir)]
    assert main([*arguments, "--show", "0"]) == 0
    assert "As of 20" in (said := capsys.readouterr().out) and not re.search(r"\| query +\|", said)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--labels", "no-such.db"], "There are no labels at 'no-such.db'"),
        (["--base", "bm25"], "'bm25' is not an embedding model; give 'vcs-20m'"),
        (["--base", "gpt"], "There is no ranker 'gpt'"),
        (["--csv", "/no/such/folder/e.csv"], "cannot be written"),
        (["--source", "no-such-folder"], "no-such-folder"),
    ],
)
def test_bad_input_is_one_line(more, words, labels, tiny_model_dir, capsys):
    assert main(["--labels", str(labels), "--base", str(tiny_model_dir), *more]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and words in said.err and said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize(
    "more", [["--temperature", "0"], ["--batch-size", "0"], ["--show", "-1"], ["--lable", "x"]]
)
def test_an_option_that_does_not_fit_is_one_line_that_names_it(more, capsys):
    assert main(more) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and more[0] in said.err and said.err.count("\n") == 1


def test_the_effects_are_a_call_from_python(labels, tiny_model_dir):
    report = effects_of(labels, str(tiny_model_dir), EffectSettings(loss="infonce", batch_size=2))
    assert [effect.item.label for effect in report.effects] == ["hard", "false_negative", "trivial", "unsure"]
    assert "infonce loss, τ = 0.1; at most 1 in-batch negatives" in report.markdown(show=0)


def test_it_runs_as_a_module_and_as_a_script():
    for command in ([str(ROOT / "training" / "effects.py")], ["-m", "training.effects"]):
        cwd = ROOT if command[0] == "-m" else ROOT.parent
        done = subprocess.run([sys.executable, *command, "--help"], cwd=cwd, capture_output=True, text=True)
        assert done.returncode == 0 and "--temperature" in done.stdout and "Example" in done.stdout
