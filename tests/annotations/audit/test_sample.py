from collections import Counter

import pytest

from annotations.audit.sample import BadAuditRequest, allocate, draw, in_order, parsed_strata, stratum_of


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


def test_strata_are_miners_and_bands_of_ranks(make):
    bands = {1: "1", 2: "2-5", 5: "2-5", 6: "6-20", 20: "6-20", 21: "21+", 9999: "21+", None: "unranked"}
    for rank, band in bands.items():
        assert stratum_of(make(rank=rank), ["rank"]) == (band,)
        assert stratum_of(make(rank=rank, miner="x"), ["miner", "rank"]) == ("x", band)
    assert stratum_of(make(), []) == ()
    assert sorted([(b,) for b in set(bands.values())], key=in_order) == [
        ("1",),
        ("2-5",),
        ("6-20",),
        ("21+",),
        ("unranked",),
    ]
    assert parsed_strata("rank, miner") == ("miner", "rank") and parsed_strata("") == ()
    with pytest.raises(BadAuditRequest, match="'topic'; give miner, rank"):
        parsed_strata("miner,topic")


def test_a_stratified_draw_keeps_the_miners_proportions(pool):
    candidates = pool({("bm25", 1): 60, ("minilm", 1): 30, ("imported", None): 10})
    drawn = Counter(c.miner for c in draw(candidates, 10, strata=["miner"]))
    assert drawn == {"bm25": 6, "minilm": 3, "imported": 1}
    assert draw(candidates, 25, strata=["miner"]) == draw(candidates[::-1], 25, strata=["miner"])
    assert len(draw(candidates, 25, strata=["miner"])) == 25
    equal = draw(candidates, 24, strata=["miner"], allocation="equal")
    assert Counter(c.miner for c in equal) == {"bm25": 8, "minilm": 8, "imported": 8}


def test_allocations_sum_to_the_size_stay_within_the_strata_and_grow():
    sizes = {("a",): 7, ("b",): 50, ("c",): 1, ("d",): 0, ("e",): 43}
    for how in ("proportional", "equal"):
        before = dict.fromkeys(sizes, 0)
        for size in range(1, 120):
            quota = allocate(sizes, size, how)
            assert sum(quota.values()) == min(size, 101)
            assert all(before[name] <= quota[name] <= sizes[name] for name in sizes)
            assert size < 4 or all(quota[name] for name in sizes if sizes[name])
            before = quota
    assert allocate(sizes, 20, "equal") == {("a",): 6, ("b",): 7, ("c",): 1, ("d",): 0, ("e",): 6}
    assert allocate({("a",): 90, ("b",): 10}, 10) == {("a",): 9, ("b",): 1}
    for size, how in ((0, "equal"), (10, "optimal")):
        with pytest.raises(BadAuditRequest):
            allocate(sizes, size, how)


@pytest.mark.parametrize("allocation", ["proportional", "equal"])
def test_a_larger_stratified_sample_contains_a_smaller_one(pool, allocation):
    candidates = pool({("bm25", 1): 33, ("bm25", 3): 15, ("minilm", 30): 5, ("imported", None): 7})
    before = set()
    for size in range(1, 61, 3):
        drawn = set(draw(candidates, size, strata=["miner", "rank"], allocation=allocation))
        assert before <= drawn and len(drawn) == size
        before = drawn
