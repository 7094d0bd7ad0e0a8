"""The floors under which labels are not trained on, and where their model is evaluated."""

import pytest

from annotations.exchange.manifest import Manifest
from annotations.quality.agreement_report import Estimate
from training.retraining.labels import BelowFloor, check_floors, evaluation_source
from vcs_demo.errors import UserError


def manifest(labelled=20, candidates=100, alpha=None):
    reason = "" if alpha is not None else "one_annotator"
    estimate = Estimate(alpha, None, None, 8 if alpha is not None else 0, reason)
    return Manifest("0" * 64, {"hard": labelled}, estimate, candidates, 2, "2026-01-01T00:00:00+00:00")


def test_labels_on_the_floor_pass():
    check_floors(manifest(10, 100, 0.4))
    check_floors(manifest(1, 100, -0.9), 0, -1)


def test_what_is_unknown_or_undefined_is_under_no_floor():
    check_floors(manifest(20, 100, None))
    check_floors(manifest(1, None, None), 1, 1)


def test_a_low_coverage_is_refused_with_value_floor_and_option():
    with pytest.raises(BelowFloor) as error:
        check_floors(manifest(9, 100, 0.9))
    assert str(error.value) == (
        "The coverage is 0.090 (9 of 100 candidates labelled), under the floor of 0.1; "
        "label more, or give a lower --min-coverage, or --anyway."
    )
    assert error.value.key == "train.low_coverage"


def test_a_low_alpha_is_refused_with_value_floor_and_option():
    with pytest.raises(BelowFloor) as error:
        check_floors(manifest(20, 100, 0.25))
    assert str(error.value) == (
        "Krippendorff's α is 0.250 (on 8 candidates with two labels or more), under the floor of 0.4; "
        "settle what people disagree on, or give a lower --min-alpha, or --anyway."
    )


def test_a_model_is_evaluated_where_its_labels_came_from(monkeypatch):
    assert evaluation_source(None, {"hub"}) == "hub"
    assert evaluation_source(None, set()) == evaluation_source(None, {"mini", "hub"}) == "mini"
    assert evaluation_source("mini", {"hub"}) == "mini"
    with pytest.raises(UserError, match="The labels came from 'folder', 'mini'; name the folder"):
        evaluation_source(None, {"mini", "folder"})
    monkeypatch.setenv("VCS_SOURCE", "/data")
    assert evaluation_source(None, {"folder"}) == "/data"
