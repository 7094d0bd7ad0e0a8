"""The effects of labels as a report: Markdown, CSV and JSON."""

import argparse
import csv
import json
import math
from pathlib import Path
from typing import Any

from annotations.exchange.cells import guard
from training.retraining.effects import MEASURES, Effect, Pairs, effects, summary
from training.retraining.labels import FrozenLabels, read_labels
from training.retraining.origin import judged_pairs, judged_splits
from vcs_demo.errors import UserError, quoted
from vcs_demo.paths import database_path
from vcs_demo.rankers.catalog import load_ranker
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.terminal import say
from vcs_demo.text import cell, content_hash

HEADS = ("s⁺", "s", "without", "as a negative", "with the label", "difference")
HOW = (
    "s⁺, s: cosines of query and positive, query and candidate. The other columns are the query's loss term: without "
    "the candidate; with it as a negative, which mining alone makes of it; with what the label makes of it (hard: a "
    "negative; false_negative: a second positive; trivial, unsure: left out); the last less the first. Means are over "
    "queries, with 95 % bootstrap intervals."
)


def report(options: argparse.Namespace) -> str:
    """Carry out `training/effects.py`; return what it prints, Markdown.

    Raises:
        UserError: an option out of range, labels or a model that cannot be used, a file that cannot be written.
    """
    _check(options)
    frozen = read_labels(options.labels or database_path())
    if not frozen.labelled:
        raise UserError("There are no labels yet; label some candidates first.")
    ranker = load_ranker(options.base)
    if not isinstance(ranker, DenseRanker):
        raise UserError(
            f"{quoted(options.base)} has no loss; give 'vcs-20m', 'minilm' or a SentenceTransformer directory."
        )
    known = _known(options.source, frozen)
    say(f"Encoding the texts of {len(frozen.labelled):,} labels with {cell(ranker.name)} …")
    found = effects(
        frozen.labelled,
        ranker,
        temperature=options.temperature,
        weight=options.loss,
        batch_size=options.batch_size,
        seed=options.seed,
        known=known,
    )
    settings = {name: getattr(options, name) for name in ("loss", "temperature", "batch_size", "seed")}
    table = summary(found)
    if options.csv:
        _write_csv(options.csv, found)
    if options.json:
        facts = {"labels": frozen.manifest.as_json(), "settings": settings, "summary": table}
        facts["model"] = {"name": ranker.name, "fingerprint": ranker.fingerprint}
        facts["effects"] = [_row(effect) for effect in found]
        options.json.write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", "utf-8")
    about = (
        f"Model {cell(ranker.name)}; {options.loss} loss, τ = {options.temperature:g}; at most "
        f"{options.batch_size - 1} in-batch negatives, seed {options.seed}."
    )
    parts = [frozen.manifest.sentence(), about, _summary_table(table), HOW]
    return "\n\n".join(parts + ([_largest(found, options.show)] if options.show else []))


def _check(options: argparse.Namespace) -> None:
    if not 0 < options.temperature < math.inf:
        raise UserError(f"--temperature is {options.temperature}; it must be above 0.")
    for name, lowest in (("batch_size", 1), ("show", 0)):
        if getattr(options, name) < lowest:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} is {getattr(options, name)}; it must be {lowest} or more.")
    for path in (options.csv, options.json):
        if path and (path.is_dir() or not path.parent.is_dir()):
            raise UserError(f"{path} cannot be written: it is a folder, or its folder does not exist.")


def _known(source: str | None, frozen: FrozenLabels) -> Pairs:
    """Return what the labels' source judges relevant, where it can be told."""
    if source is None and {item.source for item in frozen.labelled} == {"mini"}:
        source = "mini"
    if source is None:
        say(
            "Only what people said counts as relevant; name the labels' source with --source to add what it judges."
        )
        return frozenset()
    splits = judged_splits("vimedretrieve", source)
    if not splits:
        raise UserError(f"{quoted(source)} has no train or validation split; give another --source.")
    return judged_pairs(splits, {content_hash(item.query) for item in frozen.labelled})


def _summary_table(table: dict[str, dict[str, Any]]) -> str:
    lines = [f"| label | labels | queries | {' | '.join(HEADS)} |", "|" + "---|" * (len(HEADS) + 3)]
    for label, row in table.items():
        figures = ["{:.3f} [{:.3f}, {:.3f}]".format(*row[measure]) for measure in MEASURES]
        lines.append(f"| {label} | {row['labels']} | {row['queries']} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _largest(found: list[Effect], most: int) -> str:
    shown = sorted(found, key=lambda effect: -abs(effect.difference))[:most]
    lines = [f"| label | {' | '.join(HEADS)} | query | candidate |", "|" + "---|" * (len(HEADS) + 3)]
    for effect in shown:
        figures = [f"{getattr(effect, measure):.3f}" for measure in MEASURES]
        texts = cell(effect.item.query, 100), cell(effect.item.passage, 100)
        lines.append(f"| {effect.item.label} | {' | '.join((*figures, *texts))} |")
    return "\n".join(lines)


def _row(effect: Effect) -> dict[str, Any]:
    item = effect.item
    texts = {"query": item.query, "positive": item.positive, "passage": item.passage}
    figures = {name: getattr(effect, name) for name in (*MEASURES, "negatives")}
    return {"candidate_id": item.id, "label": item.label} | figures | texts


def _write_csv(path: Path, found: list[Effect]) -> None:
    rows = [_row(effect) for effect in found]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(rows[0])
        for row in rows:
            writer.writerow(guard(value) if isinstance(value, str) else value for value in row.values())
