import math
from collections import Counter

import pytest

from annotations.audit import BadAuditRequest, audit, draw, needed, shares, wilson


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
        with pytest.raises(BadAuditRequest):
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
        with pytest.raises(BadAuditRequest):
            needed(precision, share, level)


def test_a_draw_is_repeatable_nested_and_blind_to_order(make):
    candidates = [make(q, p) for q in range(20) for p in range(5)]
    drawn = draw(candidates, 30)
    assert drawn == draw(candidates[::-1], 30)
    assert drawn[:10] == draw(candidates, 10)
    assert drawn != draw(candidates, 30, seed=1)
    assert len(set(drawn)) == 30
    assert len(draw(candidates, 1000)) == 100
    with pytest.raises(BadAuditRequest):
        draw(candidates, 0)


def test_a_stratified_draw_keeps_the_miners_proportions(make):
    miners = ["bm25"] * 60 + ["minilm"] * 30 + ["imported"] * 10
    candidates = [make(q, miner=miner) for q, miner in enumerate(miners)]
    drawn = Counter(c.miner for c in draw(candidates, 10, by_miner=True))
    assert drawn == {"bm25": 6, "minilm": 3, "imported": 1}
    assert draw(candidates, 25, by_miner=True) == draw(candidates[::-1], 25, by_miner=True)
    assert len(draw(candidates, 25, by_miner=True)) == 25


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
    assert (empty.labelled, empty.shares["hard"].of, empty.shares["hard"].high) == (0, 0, 1)
    ids = [c.id for c in empty.sample]
    for number in range(8):
        candidate = store.next_candidate("lan", only=ids)
        store.label(candidate.id, "lan", "false_negative" if number < 2 else "hard", token=str(number))
    outside = next(c for c in candidates if c.id not in ids)
    store.label(outside.id, "lan", "trivial", token="outside")
    report = audit(store, 10)
    assert (report.candidates, len(report.sample), report.labelled) == (40, 10, 8)
    assert report.shares["false_negative"].share == 0.25
    assert report.shares["trivial"].count == 0
    assert sum(miner["hard"].of for miner in report.by_miner.values()) == 8
