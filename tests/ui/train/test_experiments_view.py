"""The experiments on the page: what was run, in tables and curves, in both languages."""

import json

from training.paper.results import database_file, open_database
from training.paper.warning_signs import Point, said, signs
from vcs_demo.ui.train.experiments import choices, shown


def test_before_the_first_experiment_the_page_says_how_to_run_one_and_makes_no_file():
    html, figures = shown(None, "en")
    assert "python training/experiments.py baseline" in html and figures == []
    assert choices() == [] and not database_file().exists()


def fill(arm, key, values, signs):
    setting = "python training/experiments.py ablation --source mini (base 1234)"
    with open_database() as db:
        db["runs"].insert(
            {"key": key, "experiment": "ablation", "setting": setting, "arm": arm, "seed": 0, "rows": 2,
             "seconds": 3.0, "steps": 2, "state": "done", "signs": json.dumps(signs), "config": "{}",
             "created": "2026-01-01", "command": "c"}
        )  # fmt: skip
        db["per_query"].insert_all(
            {"key": key, "task": "virerank", "measure": "map", "query": f"q{i}", "value": v}
            for i, v in enumerate(values)
        )
        db["curves"].insert_all({"key": key, "step": n, "loss": 1 / n, "positive": 0.5} for n in (1, 2))


def test_an_experiment_is_shown_with_differences_signs_and_curves():
    sign = {"step": 2, "text": "old words", "curve": "loss", "key": "gradient"}
    fill("InfoNCE", "a", [0.5, 0.25, 1.0], [])
    fill("<b>modified", "b", [0.75, 0.25, 1.0], [sign | {"values": {"most": "9", "usual": "0.1"}}])
    ((label, choice),) = choices()
    assert label == "ablation: --source mini (base 1234)"
    html, figures = shown(choice, "en")
    assert "0.583 [" in html and "Δ +0.083 [" in html
    assert (
        "&lt;b&gt;modified, seed 0, step 2: The gradient&#39;s norm jumps to 9" in html and "<b>" not in html
    )
    assert [figure.layout.title.text for figure in figures] == ["loss of the batch", "mean p⁺ of the batch"]
    html, figures = shown(choice, "vi")
    assert "bước 2: Chuẩn của gradient vọt lên 9" in html and figures[0].layout.title.text == "mất mát của lô"
    assert "Choose an experiment" in shown('["../x", ""]', "en")[0]


def test_a_sign_is_said_in_both_languages_and_an_old_one_as_it_was_written():
    curve = [
        Point(step, loss=1.0, gradient=100.0 if step == 7 else 1.0, validation=0.9 - step / 50)
        for step in range(1, 31)
    ]
    facts = {"temperature": 0.02, "negatives": "in-batch", "weight": "modified"}
    found = signs(curve, results={"vimedretrieve accuracy@5": 0.1}, untrained={}, **facts)
    assert {sign.key for sign in found} == {"accuracy", "loss", "gradient", "validation_cold"}
    for sign in found:
        assert said(vars(sign)) == sign.text and said(vars(sign), "vi") != sign.text
        assert "{" not in said(vars(sign), "vi")
    assert said({"text": "as it was"}, "vi") == "as it was"
    values = {"best": "0.5", "value": "0.4"}
    assert "dưới 0.05" in said(
        {"key": "validation.cold", "text": "x", "values": values}, "vi"
    )  # as it was kept once
