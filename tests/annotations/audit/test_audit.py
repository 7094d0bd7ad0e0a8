import math

import pytest

from annotations.audit.estimate import BadAuditRequest, audit, draw, needed, shares, wilson
from annotations.audit.proportions import Cell, estimate
from annotations.audit.sample import stratum_of


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
    assert report.parts == () and report.unanswered == []
    by_miner = audit(store, 10, strata=["miner"]).parts
    assert [part.stratum for part in by_miner] == [("bm25",), ("minilm",)]
    assert [part.candidates for part in by_miner] == [20, 20]


def test_two_strata_are_weighted_back_by_their_sizes(store, pool):
    candidates = pool({("bm25", 1): 90, ("minilm", 1): 30})
    store.add_candidates(candidates)
    sample = audit(store, 40, strata=["miner"], allocation="equal").sample
    of = {name: [c for c in sample if c.miner == name] for name in ("bm25", "minilm")}
    assert len(of["bm25"]) == len(of["minilm"]) == 20
    labelled(store, of["bm25"], ["hard"] * 10 + ["trivial"] * 10)
    labelled(store, of["minilm"], ["hard"] * 2 + ["false_negative"] * 18)
    report = audit(store, 40, strata=["miner"], allocation="equal")
    hard, wrong = report.shares["hard"], report.shares["false_negative"]
    assert hard.share == pytest.approx(
        0.75 * 0.5 + 0.25 * 0.1
    )  # 0.4; of all labels it would be 12 / 40 = 0.3
    assert (hard.count, hard.of) == (12, 40)
    # Kish: 1 / (0.75² / 20 + 0.25² / 20) = 32; the strata: 0.4 · 0.6 / (0.75² · 0.25 / 20 + 0.25² · 0.09 / 20) = 32.8
    assert hard.effective == pytest.approx(32)
    assert (hard.low, hard.high) == pytest.approx(wilson(0.4 * 32, 32))
    assert wrong.share == pytest.approx(0.25 * 0.9)
    assert report.design_effect == pytest.approx(40 / 32)
    assert report.parts[0].shares["hard"].share == 0.5
    assert (report.parts[1].shares["hard"].low, report.parts[1].shares["hard"].high) == pytest.approx(
        wilson(2, 20)
    )


def test_the_strata_count_where_their_own_variance_is_the_larger():
    # p = 0.25; Kish 1 / (0.25 / 10 + 0.25 / 40) = 32; the strata 0.25 · 0.75 / (0.25 · 0.25 / 10) = 30
    share = estimate([Cell(50, 10, 10, 5), Cell(50, 40, 40, 0)])
    assert (share.share, share.effective) == (0.25, pytest.approx(30))


def test_a_proportional_sample_that_is_labelled_altogether_gives_the_plain_share(store, pool):
    store.add_candidates(pool({("bm25", 1): 60, ("minilm", 3): 30, ("imported", None): 10}))
    sample = audit(store, 20, strata=["miner", "rank"]).sample
    labels = ["hard", "hard", "trivial", "false_negative", "hard"] * 4
    labelled(store, sample, labels)
    report, plain = audit(store, 20, strata=["miner", "rank"]), shares(labels)
    for label, share in report.shares.items():
        assert (share.count, share.of) == (plain[label].count, plain[label].of)
        assert share.share == pytest.approx(plain[label].share)
        assert (share.low, share.high) == pytest.approx((plain[label].low, plain[label].high))
    assert report.design_effect == pytest.approx(1) and report.open == 0
    assert report.shares["hard"].least == report.shares["hard"].most == pytest.approx(0.6)


def test_a_stratum_without_a_label_leaves_the_whole_undefined_but_bounded(store, pool):
    store.add_candidates(pool({("bm25", 1): 30, ("minilm", 1): 10}))
    sample = audit(store, 8, strata=["miner"]).sample
    of = [c for c in sample if c.miner == "bm25"]
    assert len(of) == 6
    labelled(store, of, ["hard", "hard", "hard", "unsure", "trivial", ""])
    report = audit(store, 8, strata=["miner"])
    hard = report.shares["hard"]
    assert report.unanswered == [("minilm",)]
    assert (hard.share, hard.low, hard.high) == (None, 0, 1)
    # 3 of 6 are hard, 2 open; of minilm all is open
    assert (hard.least, hard.most) == pytest.approx((0.75 * 3 / 6, 0.75 * 5 / 6 + 0.25))
    assert report.shares["unsure"].least is None
    assert report.parts[0].shares["hard"].share == pytest.approx(3 / 5)
    assert report.open == 4
    assert audit(store, 1, strata=["miner"]).design_effect is None  # no candidate of minilm was drawn


def test_unfinished_and_unsure_bound_the_share(store, make):
    store.add_candidates([make(q) for q in range(30)])
    sample = audit(store, 10).sample
    labelled(store, sample, ["hard"] * 4 + ["false_negative"] * 2 + ["unsure"] + [""] * 3)
    found = audit(store, 10).shares
    assert found["hard"].share == pytest.approx(4 / 7)
    assert (found["hard"].least, found["hard"].most) == pytest.approx((0.4, 0.8))
    assert (found["trivial"].least, found["trivial"].most) == pytest.approx((0, 0.4))


def test_the_finite_correction_shrinks_intervals_to_what_is_not_labelled(store, make):
    # half of 101 wait: n counts as 50 · 100 / 51; all labelled: no interval is left
    assert estimate([Cell(101, 50, 50, 10)], finite=True).effective == pytest.approx(50 * 100 / 51)
    done = estimate([Cell(50, 50, 50, 10)], finite=True)
    assert (done.share, done.low, done.high) == (0.2, 0.2, 0.2)
    for size in (1, 7, 92, 200):  # what is needed is what the interval then says
        enough = needed(0.05, pool=200)
        wide = estimate([Cell(200, size, size, size // 2)], finite=True)
        assert ((wide.high - wide.low) / 2 <= 0.0501) == (size >= enough)
    assert needed(0.05) == 381 and needed(0.05, pool=10**9) == 381
    assert needed(0.05, pool=120) == 92  # 381 / (1 + 380 / 120) = 91.5
    store.add_candidates([make(q) for q in range(4)])
    labelled(store, store.candidates(), ["hard"] * 4)
    assert audit(store, 4, finite=True).shares["hard"].low == 1
    with pytest.raises(BadAuditRequest):
        audit(store, 4, level=1.5)


@pytest.mark.parametrize("finite", [False, True])
@pytest.mark.parametrize("allocation", ["proportional", "equal"])
def test_the_weighted_interval_covers_about_as_often_as_it_says(pool, allocation, finite):
    sizes = {("bm25", 1): 420, ("bm25", 3): 120, ("minilm", 30): 60}
    hard = {("bm25", "1"): 0.2, ("bm25", "2-5"): 0.5, ("minilm", "21+"): 0.8}
    candidates, strata = pool(sizes), ("miner", "rank")
    members = {name: [c for c in candidates if stratum_of(c, strata) == name] for name in hard}
    says = {c.id for name, of in members.items() for c in of[: round(hard[name] * len(of))]}
    truth, covered, draws = len(says) / len(candidates), 0, 300
    for seed in range(draws):
        sample = draw(candidates, 60, seed=seed, strata=strata, allocation=allocation)
        cells = []
        for name, of in members.items():
            got = [c for c in sample if stratum_of(c, strata) == name]
            cells.append(Cell(len(of), len(got), len(got), sum(c.id in says for c in got)))
        share = estimate(cells, finite=finite)
        covered += share.low <= truth <= share.high
    assert 0.93 <= covered / draws <= 0.995  # cautious: what the strata gain is not claimed
