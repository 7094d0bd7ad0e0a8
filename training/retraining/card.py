"""The files beside a retrained model: its card, its training queries' hashes, its facts as JSON."""

import html
import json
from pathlib import Path
from typing import Any

from training.retraining.gains import CAVEAT, NAMES, TERMS, change
from vcs_demo.files import write_json, write_text
from vcs_demo.measuring.run_store import Run
from vcs_demo.rankers.training_queries import INCOMPLETE, TRAINING_QUERIES
from vcs_demo.tables import Table, figure
from vcs_demo.words import say

LISTED = 1000  # hashes that the card lists; the file beside it has all
MEASURES = ("accuracy@1", "accuracy@5", "accuracy@10", "accuracy@20", "map", "mrr@10", "ndcg@10")
TEMPLATE = Path(__file__).with_name("card.md")
_UNKNOWN = (
    "\nWhat the base model was trained on is **not known**: queries that it saw may be among these, before and "
    "after."
)
_USE_OF_HARD = {
    "in-batch": "`hard` labels give their query's positive alone: with in-batch negatives no explicit one is used.",
    "hard": "`hard` labels are explicit negatives, the only ones.",
    "both": "`hard` labels are explicit negatives, beside the batch's other texts.",
}


def comparison(before: Run, after: Run) -> dict[str, dict[str, Any]]:
    """Compare two runs over the same queries: measure → what `change` returns."""
    table = {}
    for measure in MEASURES:
        ids = list(before.per_query[measure])
        table[measure] = change(
            *([run.per_query[measure][i] for i in ids] for run in (before, after)), (0.0, 1.0)
        )
    return table


def outcome(metrics: dict[str, dict[str, Any]], measure: str) -> str:
    """Return `better`, `worse` or `same`: on which side of zero the paired interval of a measure is."""
    low, high = metrics[measure]["difference_interval"]
    return "better" if low > 0 else "worse" if high < 0 else "same"


def verdict(metrics: dict[str, dict[str, Any]], measure: str, lang: str = "en") -> str:
    """Say in one sentence, in `en` or `vi`, whether the model got better, by the paired interval of one measure."""
    row = metrics[measure]
    low, high = row["difference_interval"]
    figures = {"before": f"{row['before']:.3f}", "after": f"{row['after']:.3f}", "low": f"{low:+.3f}"}
    figures |= {"high": f"{high:+.3f}", "difference": f"{row['difference']:+.3f}"}
    return say(lang, f"train.{outcome(metrics, measure)}", measure=measure, **figures)


def figures(row: dict[str, Any]) -> list[str]:
    """Write a measure before and after and its difference, each with its interval."""
    return [
        figure(row["before"], row["before_interval"]),
        figure(row["after"], row["after_interval"]),
        figure(row["difference"], row["difference_interval"], signed=True),
    ]


def write_files(folder: Path, facts: dict[str, Any], hashes: list[str]) -> None:
    """Write `README.md`, `training_queries.txt` (a sha256 a line) and `training.json` into a model's folder."""
    known = facts["base"]["training_known"]
    lines = [*([] if known else [f"{INCOMPLETE}: what the base model saw is not known"]), *hashes]
    write_text(folder / TRAINING_QUERIES, "\n".join(lines) + "\n")
    write_json(folder / "training.json", facts)
    write_text(folder / "README.md", card(facts, hashes))


def card(facts: dict[str, Any], hashes: list[str]) -> str:
    """Write the model card: `card.md`, which is Markdown with the hub's YAML front matter, filled in."""
    settings, data, prompts = facts["settings"], facts["data"], facts["prompts"]
    measures = Table(
        ("measure", "before", "after", "difference"),
        [(measure, *figures(row)) for measure, row in facts["metrics"].items()],
    )
    return TEMPLATE.read_text("utf-8").format(
        **_as_text(facts),
        trained_on=_trained_on(data),
        unknown="" if facts["base"]["training_known"] else _UNKNOWN,
        length=f"at most {facts['tokens']} tokens" if facts["tokens"] else "texts of any length",
        millions=facts["parameters"] / 1e6,
        shown_prompts=", ".join(
            f"{_as_text(n)}: `{json.dumps(t, ensure_ascii=False).replace('`', chr(39))}`"
            for n, t in prompts.items()
        )
        or "none",
        verdict=verdict(facts["metrics"], facts["evaluation"]["main"]),
        measures=measures.markdown(),
        sources=", ".join(_as_text(data["sources"])) or "pairs only",
        use_of_hard=_USE_OF_HARD[settings["negatives"]],
        counts=Table(("", "number"), list(data["counts"].items())).markdown(),
        changes=_changes(facts["gains"]),
        weight="(1 − p⁺)(−log p⁺)" if settings["loss"] == "modified" else "−log p⁺",
        packages=", ".join(f"{name} {number}" for name, number in facts["versions"].items()),
        how_many=f"The first {LISTED:,} of {len(hashes):,}; all" if len(hashes) > LISTED else "All",
        hashes=len(hashes),
        listed="\n".join(hashes[:LISTED]),
    )


def _as_text(value: Any) -> Any:
    """Return names and texts from outside so that they are text in Markdown: no markup, no link, one line each."""
    if isinstance(value, str):
        return html.escape(" ".join(value.split()), quote=False).replace("`", "'").replace("](", "] (")
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list | tuple) else value


def _changes(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No label was trained on, pairs alone."
    table = Table(
        ("label", "labels", "queries", "measure", "before", "after", "difference"),
        [(row["label"], row["labels"], row["queries"], NAMES[row["measure"]], *figures(row)) for row in rows],
        notes=[TERMS],
    )
    return f"{CAVEAT}\n\n{table.markdown()}"


def _trained_on(data: dict[str, Any]) -> str:
    pairs = data["counts"].get("rows of pairs", 0)
    labelled = data["counts"]["rows"] - pairs
    parts = [f"{labelled:,} rows out of human judgements of mined hard negatives"] if labelled else []
    if pairs:
        parts.append(
            f"{pairs:,} (query, passage) pairs of the train split of `{_as_text(data['pairs'])}`, taken as they are"
        )
    return " and ".join(parts)
