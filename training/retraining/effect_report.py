"""The effects of labels as a report: Markdown, CSV and JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotations.exchange.manifest import LabelSet, Manifest, read_labels
from training.retraining.base import embedding_model
from training.retraining.effects import MEASURES, Effect, effects, summary
from training.retraining.relevance import Pairs, judged_pairs, judged_splits
from training.retraining.settings import EffectSettings
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import write_json, written_whole
from vcs_demo.paths import database_path
from vcs_demo.rankers.catalog import OURS
from vcs_demo.tables import Table, figure, guard
from vcs_demo.terminal import say
from vcs_demo.text import cell, content_hash

HEADS = ("s⁺", "s", "without", "as a negative", "with the label", "difference")
HOW = (
    "s⁺, s: cosines of query and positive, query and candidate. The other columns are the query's loss term: without "
    "the candidate; with it as a negative, which mining alone makes of it; with what the label makes of it (hard: a "
    "negative; false_negative: a second positive; trivial, unsure: left out); the last less the first. Means are over "
    "queries, with 95 % bootstrap intervals."
)


@dataclass(frozen=True)
class EffectReport:
    """The effects of a set of labels under a model.

    Attributes:
        manifest: of the labels.
        model: name and fingerprint of the model.
        settings: of the loss and of the negatives that were drawn.
        effects: one a label, in the order of the labels.
    """

    manifest: Manifest
    model: tuple[str, str]
    settings: EffectSettings
    effects: list[Effect]

    def markdown(self, show: int = 20) -> str:
        """Return the means by label, and the `show` labels of largest effect."""
        settings = self.settings
        about = (
            f"Model {cell(self.model[0])}; {settings.loss} loss, τ = {settings.temperature:g}; at most "
            f"{settings.batch_size - 1} in-batch negatives, seed {settings.seed}."
        )
        means = Table(
            ("label", "labels", "queries", *HEADS),
            [
                (label, row["labels"], row["queries"], *(figure(row[m][0], row[m][1:]) for m in MEASURES))
                for label, row in summary(self.effects).items()
            ],
            notes=[HOW],
        )
        parts = [self.manifest.sentence(), about, means.markdown()]
        return "\n\n".join(parts + ([self._largest(show).markdown()] if show else []))

    def _largest(self, show: int) -> Table:
        shown = sorted(self.effects, key=lambda effect: -abs(effect.difference))[:show]
        rows = [
            (
                effect.item.label,
                *(figure(getattr(effect, measure)) for measure in MEASURES),
                cell(effect.item.query, 100),
                cell(effect.item.passage, 100),
            )
            for effect in shown
        ]
        return Table(("label", *HEADS, "query", "candidate"), rows)

    def write_csv(self, path: Path) -> None:
        """Write a row a label, with the byte order mark that spreadsheets expect; raises OSError."""
        rows = [_row(effect) for effect in self.effects]
        cells = [
            [guard(value) if isinstance(value, str) else value for value in row.values()] for row in rows
        ]
        with written_whole(path, encoding="utf-8-sig", newline="") as file:
            file.write(Table(list(rows[0]), cells).csv())

    def write_json(self, path: Path) -> None:
        """Write settings, means and the effect of every label; raises OSError."""
        name, fingerprint = self.model
        facts = {
            "labels": self.manifest.as_json(),
            "settings": asdict(self.settings),
            "summary": summary(self.effects),
            "model": {"name": name, "fingerprint": fingerprint},
            "effects": [_row(effect) for effect in self.effects],
        }
        write_json(path, facts)


def effects_of(
    labels: Path | str | None = None,
    base: str = OURS,
    settings: EffectSettings | None = None,
    *,
    source: str | None = None,
) -> EffectReport:
    """Return what each label does to the loss under a model, before anything is trained.

        print(effects_of("labels.jsonl", "vcs-20m").markdown())

    Args:
        labels: label database or export; None: the app's database.
        base: ranker name or SentenceTransformer directory.
        settings: of the loss; None: the defaults.
        source: mini, hub or a folder whose judgements count as relevant; None: mini for labels of mini, else none.

    Raises:
        UserError: labels, a model or a source that cannot be used.
    """
    ranker, settings = embedding_model(base), settings or EffectSettings()
    frozen = read_labels(labels or database_path())
    if not frozen.labelled:
        raise UserError("There are no labels yet; label some candidates first.")
    judged = _judged(source, frozen)
    say(f"Encoding the texts of {len(frozen.labelled):,} labels with {cell(ranker.name)} …")
    of_labels = effects(frozen.labelled, ranker, settings, judged)
    return EffectReport(frozen.manifest, (ranker.name, ranker.fingerprint), settings, of_labels)


def _judged(source: str | None, frozen: LabelSet) -> Pairs:
    """Return what the labels' source judges relevant, where it is known."""
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


def _row(effect: Effect) -> dict[str, Any]:
    item = effect.item
    texts = {"query": item.query, "positive": item.positive, "passage": item.passage}
    figures = {name: getattr(effect, name) for name in (*MEASURES, "negatives")}
    return {"candidate_id": item.id, "label": item.label} | figures | texts
