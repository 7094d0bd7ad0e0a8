import math

import pytest

from annotations.audit.estimate import audit, needed, shares, wilson
from annotations.quality.adjudication import decide
from vcs_demo.errors import UserError


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [  # Newcombe 1998 (Statistics in Medicine 17), Table I, method 3: the score method without correction
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(count, of, low, high):
    assert wilson(count, of) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilson_agrees_with_scipy():
    from scipy.stats import binomtest

    for count, of, level in ((3, 7, 0.9), (50, 100, 0.95), (100, 100, 0.99)):
        theirs = binomtest(count, of).proportion_ci(level, "wilson")
        assert wilson(count, of, level) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


def test_wilson_of_nothing_is_everything_and_nonsense_is_refused():
    assert wilson(0, 0) == (0, 1)
    for count, of, level in ((3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)):
        with pytest.raises(UserError):
            wilson(count, of, level)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.02, 0.0, 1.0])
@pytest.mark.parametrize("precision", [0.02, 0.05, 0.1, 0.3])
def test_needed_is_the_least_size_that_is_precise_enough(share, precision):
    def half_width(n: int) -> float:
        z2 = 1.959963984540054**2
        return math.sqrt(z2 / n * (share * (1 - share) + z2 / 4 / n)) / (1 + z2 / n)

    size = needed(precision, share)
    assert half_width(size) <= precision + 1e-9
    assert size == 1 or half_width(size - 1) > precision


def test_needed_refuses_nonsense():
    for precision, share, level in ((0, 0.5, 0.95), (0.5, 0.5, 0.95), (0.1, 2, 0.95), (0.1, 0.5, 0)):
        with pytest.raises(UserError):
            needed(precision, share, level)


def labelled(store, candidates, labels):
    for candidate, label in zip(candidates, labels, strict=True):
        if label:
            store.label(candidate.id, "lan", label, token=candidate.id)


def test_shares_count_all_four_labels():
    of = shares(["hard", "hard", "trivial", "false_negative"])
    assert {label: (share.count, share.share) for label, share in of.items()} == {
        "hard": (2, 0.5),
        "false_negative": (1, 0.25),
        "trivial": (1, 0.25),
        "unsure": (0, 0),
    }
    assert (of["unsure"].low, of["unsure"].high) == (0, pytest.approx(wilson(0, 4)[1]))


def test_an_audit_speaks_of_the_labelled_part_of_its_sample(store, make):
    candidates = [make(q, miner="bm25" if q % 2 else "minilm") for q in range(40)]
    store.add_candidates(candidates)
    empty = audit(store, 10)
    hard = empty.shares["hard"]
    assert (empty.labelled, hard.of, hard.share, hard.low, hard.high) == (0, 0, None, 0, 1)
    ids = [c.id for c in empty.sample]
    for number in range(8):
        candidate = store.claim("lan", only=ids).candidate
        store.label(candidate.id, "lan", "false_negative" if number < 2 else "hard", token=str(number))
    outside = next(c for c in candidates if c.id not in ids)
    store.label(outside.id, "lan", "trivial", token="outside")
    report = audit(store, 10)
    assert (report.candidates, len(report.sample), report.labelled) == (40, 10, 8)
    assert report.shares["false_negative"].share == 0.25
    assert report.shares["trivial"].count == 0
    assert report.parts == ()


def test_parts_tell_miners_and_ranks_of_one_sample_apart(store, pool):
    store.add_candidates(pool({("bm25", 1): 20, ("bm25", 3): 10, ("minilm", 3): 8, ("imported", None): 2}))
    plain = audit(store, 30)
    labelled(store, plain.sample[:20], ["hard"] * 15 + ["trivial"] * 5)
    report = audit(store, 30, strata=["rank", "miner"])
    assert report.sample == plain.sample and report.strata == ("miner", "rank")
    assert [(part.by, part.name, part.candidates) for part in report.parts] == [
        *(("miner", "bm25", 30), ("miner", "imported", 2), ("miner", "minilm", 8)),
        *(("rank", "1", 20), ("rank", "2-5", 18), ("rank", "unranked", 2)),
    ]
    for by in report.strata:
        parts = [part for part in report.parts if part.by == by]
        assert sum(part.sampled for part in parts) == 30 and sum(part.labelled for part in parts) == 20
        assert sum(part.shares["hard"].count for part in parts) == 15
    first = report.parts[0].shares["hard"]
    assert (first.low, first.high) == wilson(first.count, first.of)


def test_what_an_adjudicator_decided_counts(store, make):
    store.add_candidates([make(1), make(2)])
    for who, label in (("lan", "hard"), ("mai", "trivial")):
        store.label(make(1).id, who, label, token=who)
    assert audit(store).labels == {make(1).id: "unsure"}
    decide(store, make(1).id, "chi", "trivial", "annotator_error", token="d")
    assert audit(store).shares["trivial"].share == 1


@pytest.mark.parametrize("wrong", [{"level": 1.5}, {"size": 0}, {"strata": ["topic"]}])
def test_what_is_out_of_range_is_refused(store, wrong):
    with pytest.raises(UserError):
        audit(store, **wrong)
