"""What the Train tab tells: the labels before a training, the model's figures after it."""

import json

from annotations.exchange.manifest import freeze
from annotations.store.label_store import LabelStore
from training.retraining.card import outcome
from training.retraining.labels import BelowFloor, check_floors
from vcs_demo.paths import models_dir
from vcs_demo.ui.html import render
from vcs_demo.ui.label.desk import label_name
from vcs_demo.words import explain, say


def state(store: LabelStore, lang: str) -> str:
    """Say what labels there are, how many candidates they cover and how far people agree; and if it is too little."""
    _, manifest = freeze(store)
    alpha = manifest.alpha
    if alpha.value is None:
        agreed = say(lang, "train.no_alpha", reason=say(lang, f"alpha.{alpha.reason}"))
    else:
        agreed = say(lang, "train.alpha", alpha=f"{alpha.value:.2f}", items=alpha.items)
    covered = say(
        lang,
        "train.coverage",
        labelled=manifest.labelled,
        candidates=manifest.candidates,
        share=f"{manifest.coverage or 0:.0%}",
    )
    lines = [say(lang, "train.state", **manifest.labels), f"{covered} {agreed}"]
    try:
        check_floors(manifest)
    except BelowFloor as error:
        lines.append(f"**{explain(error, lang)}**")
    return "\n\n".join(lines)


def allow(store: LabelStore, anyway: bool) -> None:
    """Raise BelowFloor where the labels are under a floor, unless the visitor wants to train anyway."""
    if not anyway:
        check_floors(freeze(store)[1])


def facts(name: str) -> dict | None:
    """Return the facts beside a retrained model; None if there are none."""
    try:
        return json.loads((models_dir() / name / "training.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def verdict(name: str, lang: str) -> str:
    """Say in one sentence whether a retrained model got better."""
    known = facts(name)
    if known is None:
        return ""
    measure = known["evaluation"]["main"]
    row = known["metrics"][measure]
    low, high = row["difference_interval"]
    return say(
        lang,
        f"train.{outcome(known['metrics'], measure)}",
        measure=measure,
        before=f"{row['before']:.3f}",
        after=f"{row['after']:.3f}",
        difference=f"{row['difference']:+.3f}",
        low=f"{low:+.3f}",
        high=f"{high:+.3f}",
    )


def results(name: str, lang: str) -> str:
    """Return a model's metrics before and after and what it did to the labels, as tables; empty if there are none."""
    known = facts(name)
    if known is None:
        return ""

    def figure(value: float, pair: list[float], form: str = ".3f") -> str:
        return f"{value:{form}} [{pair[0]:{form}}, {pair[1]:{form}}]"

    def figures(row: dict) -> list[str]:
        return [
            figure(row["before"], row["before_interval"]),
            figure(row["after"], row["after_interval"]),
            figure(row["difference"], row["difference_interval"], "+.3f"),
        ]

    heads = [say(lang, f"train.{key}") for key in ("measure", "before", "after", "difference")]
    lines = [[measure, *figures(row)] for measure, row in known["metrics"].items()]
    tables = render("table", lang, heads=heads, rows=lines, note="")
    if gained := known.get("gains"):  # not beside models of before there were any
        lines = [
            [
                f"{label_name(row['label'], lang)} ({row['labels']})",
                say(lang, f"gain.{row['measure']}"),
                *figures(row),
            ]
            for row in gained
        ]
        note = say(lang, "train.gains")
        tables += render("table", lang, heads=[say(lang, "gain.label"), *heads], rows=lines, note=note)
    return tables
