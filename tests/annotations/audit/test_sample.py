"""Which candidates an audit draws, and the groups it tells apart."""

import pytest

from annotations.audit.sample import draw, group_of, in_order, parsed_strata
from vcs_demo.errors import UserError


def test_a_draw_is_repeatable_nested_and_blind_to_order(make):
    candidates = [make(q, p) for q in range(20) for p in range(5)]
    drawn = draw(candidates, 30)
    assert drawn == draw(candidates[::-1], 30)
    assert drawn[:10] == draw(candidates, 10)  # a smaller sample is how a larger one begins
    assert drawn != draw(candidates, 30, seed=1)
    assert len(set(drawn)) == 30
    assert len(draw(candidates, 1000)) == 100


def test_a_draw_takes_every_candidate_about_as_often(make):
    candidates = [make(q) for q in range(10)]
    times = dict.fromkeys(candidates, 0)
    for seed in range(400):
        for candidate in draw(candidates, 5, seed=seed):
            times[candidate] += 1
    assert all(160 <= count <= 240 for count in times.values())  # 200 ± 4 standard deviations of 10


@pytest.mark.parametrize("size", [0, -1])
def test_a_sample_without_a_candidate_is_refused(make, size):
    with pytest.raises(UserError, match=f"The sample size is {size}; give 1 or more"):
        draw([make(1)], size)


def test_groups_are_miners_and_bands_of_ranks(make):
    bands = {1: "1", 2: "2-5", 5: "2-5", 6: "6-20", 20: "6-20", 21: "21+", 9999: "21+", None: "unranked"}
    for rank, band in bands.items():
        assert group_of(make(rank=rank), "rank") == band
    assert group_of(make(miner="x"), "miner") == "x"
    assert sorted(set(bands.values()), key=in_order) == ["1", "2-5", "6-20", "21+", "unranked"]


@pytest.mark.parametrize(
    ("text", "strata"), [("rank, miner", ("miner", "rank")), ("miner", ("miner",)), ("", ())]
)
def test_strata_are_parsed(text, strata):
    assert parsed_strata(text) == strata


def test_unknown_strata_are_refused():
    with pytest.raises(UserError, match="'topic'; give miner, rank"):
        parsed_strata("miner,topic")
