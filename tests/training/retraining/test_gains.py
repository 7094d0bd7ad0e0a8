"""What a training did to its labels, by hand."""

import pytest

from annotations.candidates import Candidate, LabelledCandidate
from training.retraining.card import figures
from training.retraining.effects import Effect
from training.retraining.gains import gains


def effect(query, label, positive_similarity, similarity, term):
    candidate = Candidate.create(query=query, positive="Dương", passage=f"Âm {label}")
    item = LabelledCandidate(**vars(candidate), label=label, votes={label: 1}, annotators=1)
    return Effect(item, positive_similarity, similarity, 3, 0.5, 0.9, term)


def test_gains_are_means_over_queries_paired_by_query():
    before = [
        effect("a", "hard", 0.5, 0.4, 0.6),
        effect("a", "hard", 0.5, 0.2, 0.4),
        effect("b", "hard", 0.6, 0.2, 0.3),
        effect("b", "false_negative", 0.6, 0.3, 0.8),
    ]
    after = [
        effect("a", "hard", 0.7, 0.3, 0.3),
        effect("a", "hard", 0.7, 0.1, 0.1),
        effect("b", "hard", 0.6, 0.1, 0.2),
        effect("b", "false_negative", 0.6, 0.5, 0.7),
    ]
    rows = {(row["label"], row["measure"]): row for row in gains(before, after)}
    assert list(rows) == [
        *(("hard", "margin"), ("hard", "with_label")),
        *(("false_negative", "similarity"), ("false_negative", "with_label")),
    ]
    margin = rows["hard", "margin"]  # a: .1, .3 → .4, .6 (+.3); b: .4 → .5 (+.1)
    assert (margin["labels"], margin["queries"]) == (3, 2)
    assert (margin["before"], margin["after"]) == pytest.approx((0.3, 0.5))
    assert margin["difference"] == pytest.approx(0.2)
    assert margin["difference_interval"] == [None, None]  # two queries
    assert figures(margin) == ["0.300 [–]", "0.500 [–]", "+0.200 [–]"]
    assert rows["hard", "with_label"]["difference"] == pytest.approx(-0.2)  # a: −.3; b: −.1
    assert rows["false_negative", "similarity"]["difference"] == pytest.approx(0.2)


def test_no_labels_make_no_rows():
    assert gains([], []) == []
