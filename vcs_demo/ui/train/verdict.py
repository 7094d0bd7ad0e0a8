"""What the Train tab tells: the labels before a training, the model's figures after it."""

import json

from annotations.exchange.manifest import read_store
from annotations.store.label_store import LabelStore
from training.retraining.card import figures, verdict
from training.retraining.labels import BelowFloor, check_floors
from training.retraining.settings import RetrainSettings
from vcs_demo.paths import models_dir
from vcs_demo.tables import Table
from vcs_demo.ui.html import tables
from vcs_demo.ui.label.desk import label_name
from vcs_demo.words import explain, say


def state(store: LabelStore, lang: str) -> str:
    """Say what labels there are, how many candidates they cover and how far people agree; and if it is too little."""
    manifest = read_store(store).manifest
    alpha = manifest.alpha
    if alpha.value is None:
        agreement = say(lang, "train.no_alpha", reason=say(lang, f"agree.{alpha.reason}"))
    else:
        agreement = say(lang, "train.alpha", alpha=f"{alpha.value:.2f}", items=alpha.items)
    coverage = say(
        lang,
        "train.coverage",
        labelled=manifest.labelled,
        candidates=manifest.candidates,
        share=f"{manifest.coverage or 0:.0%}",
    )
    lines = [say(lang, "train.state", **manifest.labels), f"{coverage} {agreement}"]
    try:
        check_floors(manifest)
    except BelowFloor as error:
        lines.append(f"**{explain(error, lang)}**")
    return "\n\n".join(lines)


def allow(store: LabelStore, settings: RetrainSettings) -> None:
    """Raise BelowFloor where the labels are under a floor of the settings, before a process is started."""
    check_floors(read_store(store).manifest, settings.min_coverage, settings.min_alpha)


def facts_of(name: str) -> dict | None:
    """Return the facts beside a retrained model; None if there are none."""
    try:
        return json.loads((models_dir() / name / "training.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def summary(name: str, lang: str) -> tuple[str, str]:
    """Return whether a retrained model got better, and its figures as tables; empty texts if it has none."""
    facts = facts_of(name)
    if facts is None:
        return "", ""
    return verdict(facts["metrics"], facts["evaluation"]["main"], lang), results(facts, lang)


def results(facts: dict, lang: str) -> str:
    """Return a model's metrics before and after, and what it did to the labels it was trained on, as tables."""
    heads = [say(lang, f"train.{key}") for key in ("measure", "before", "after", "difference")]
    shown = [Table(heads, [[measure, *figures(row)] for measure, row in facts["metrics"].items()])]
    if gains := facts.get("gains"):  # older models have none
        rows = [
            [
                f"{label_name(row['label'], lang)} ({row['labels']})",
                say(lang, f"gain.{row['measure']}"),
                *figures(row),
            ]
            for row in gains
        ]
        shown.append(Table([say(lang, "gain.label"), *heads], rows, notes=[say(lang, "train.gains")]))
    return tables(*shown)
