"""The files beside a retrained model: its card, its training queries' hashes, its facts as JSON."""

import json
from pathlib import Path
from typing import Any

from training.retraining.gains import CAVEAT, NAMES
from vcs_demo.files import write_json, write_text
from vcs_demo.measuring.metrics import paired_difference
from vcs_demo.measuring.run_store import Run
from vcs_demo.tables import Table, figure
from vcs_demo.words import say

LISTED = 1000  # hashes that the card lists; the file beside it has all
MEASURES = ("accuracy@1", "accuracy@5", "accuracy@10", "accuracy@20", "map", "mrr@10", "ndcg@10")


_USE_OF_HARD = {
    "in-batch": "`hard` labels give their query's positive alone: with in-batch negatives no explicit one is used.",
    "hard": "`hard` labels are explicit negatives, the only ones.",
    "both": "`hard` labels are explicit negatives, beside the batch's other texts.",
}


def comparison(before: Run, after: Run) -> dict[str, dict[str, Any]]:
    """Compare two runs over the same queries: means, 95 % intervals, and the paired difference with its own."""
    table = {}
    for measure in MEASURES:
        ids = list(before.per_query[measure])
        values = [[run.per_query[measure][i] for i in ids] for run in (after, before)]
        mean, low, high = paired_difference(*values)
        table[measure] = {
            "before": before.metrics[measure],
            "before_interval": list(before.intervals[measure]),
            "after": after.metrics[measure],
            "after_interval": list(after.intervals[measure]),
            "difference": mean,
            "difference_interval": [low, high],
        }
    return table


def outcome(metrics: dict[str, dict[str, Any]], measure: str) -> str:
    """Return `better`, `worse` or `same`: on which side of zero the paired interval of a measure is."""
    low, high = metrics[measure]["difference_interval"]
    return "better" if low > 0 else "worse" if high < 0 else "same"


def verdict(metrics: dict[str, dict[str, Any]], measure: str, lang: str = "en") -> str:
    """Say in one sentence whether the model got better, by the paired interval of one measure.

    Args:
        metrics: as `comparison` returns them.
        measure: one of them.
        lang: `en` or `vi`.
    """
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
    write_text(folder / "training_queries.txt", "\n".join(hashes) + "\n")
    write_json(folder / "training.json", facts)
    write_text(folder / "README.md", card(facts, hashes))


def card(facts: dict[str, Any], hashes: list[str]) -> str:
    """Write the model card (Markdown with the hub's YAML front matter)."""
    settings, evaluated = facts["settings"], facts["evaluation"]
    metrics = Table(
        ("measure", "before", "after", "difference"),
        [(measure, *figures(row)) for measure, row in facts["metrics"].items()],
    )
    counts = Table(("", "number"), list(facts["data"]["counts"].items()))
    weight = "(1 − p⁺)(−log p⁺)" if settings["loss"] == "modified" else "−log p⁺"
    training = {
        "loss": f"{settings['loss']}, {weight}; arXiv 2503.07470",
        "temperature τ": settings["temperature"],
        "negatives": settings["negatives"],
        "directions": settings["directions"],
        "epochs": settings["epochs"],
        "batch size": settings["batch_size"],
        "learning rate": settings["learning_rate"],
        "schedule": "AdamW, linear decay after 10 % warm-up",
        "seed": settings["seed"],
        "steps": facts["steps"],
        "versions": ", ".join(f"{name} {number}" for name, number in facts["versions"].items()),
    }
    listed = "\n".join(hashes[:LISTED])
    more = f"The first {LISTED:,} of {len(hashes):,}; all" if len(hashes) > LISTED else "All"
    prompts = ", ".join(
        f"{name}: `{json.dumps(text, ensure_ascii=False)}`" for name, text in facts["prompts"].items()
    )
    return f"""---
language: vi
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, sentence-similarity, feature-extraction, vietnamese-context-search]
---

# {facts["name"]}

A SentenceTransformer for Vietnamese retrieval, fine-tuned from **{facts["base"]["name"]}** (fingerprint
`{facts["base"]["fingerprint"]}`) on {_trained_on(facts["data"])}.
{facts["dimensions"]} dimensions, {f"at most {facts['tokens']} tokens" if facts["tokens"] else "texts of any length"},
{facts["parameters"] / 1e6:.1f} M parameters, cosine similarity.
Prompts: {prompts or "none"}.

**{verdict(facts["metrics"], evaluated["main"])}**

## Evaluation, before and after

{evaluated["task"]} of the source `{evaluated["source"]}`, test split, {evaluated["queries"]} queries; none of them,
and none of their passages, was trained on ({evaluated["skipped"]} left out as trained on by the base or this model).
Both models on the same queries; brackets are 95 % bootstrap intervals over queries, the difference is paired; ties are
settled against the model.

{metrics.markdown()}

## Data

{facts["labels"]["sentence"]}

Source of the labels: {", ".join(facts["data"]["sources"]) or "pairs only"}. Content hash of what was trained on:
`{facts["data"]["fingerprint"]}`. {_USE_OF_HARD[settings["negatives"]]} `false_negative` labels are additional
positives and never negatives; `trivial` and `unsure` are left out, and what is unsure is no negative of its query.

{counts.markdown()}

## What training did to the labels

{_gains(facts["gains"])}

## Training

{Table(("", ""), list(training.items())).markdown()}

```
{facts["command"]}
```

## Limits

Figures hold for the source named above; VCS-mini is a miniature, and its figures are not the benchmark's. Labels are
people's judgements and can be wrong. The licence is that of the base model and of the labelled data, which you have
to check. Search results are not medical advice.

## Training queries' hashes

sha256 of the NFC, lower-cased query with its white space folded, so that an evaluation can leave these queries out.
{more} are in `training_queries.txt`.

<details><summary>{len(hashes):,} hashes</summary>

```
{listed}
```

</details>
"""


def _gains(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No label was trained on, pairs alone."
    table = Table(
        ("label", "labels", "queries", "measure", "before", "after", "difference"),
        [(row["label"], row["labels"], row["queries"], NAMES[row["measure"]], *figures(row)) for row in rows],
        notes=[
            "The loss term is that of the label's query with what the label makes of it, over its other hard negatives "
            "and a fixed\nsample of other queries' positives (`training/effects.py`). Means over queries, brackets and "
            "pairing as above."
        ],
    )
    return f"{CAVEAT}\n\n{table.markdown()}"


def _trained_on(data: dict[str, Any]) -> str:
    pairs = data["counts"].get("rows of pairs", 0)
    labelled = data["counts"]["rows"] - pairs
    parts = [f"{labelled:,} rows out of human judgements of mined hard negatives"] if labelled else []
    if pairs:
        parts.append(
            f"{pairs:,} (query, passage) pairs of the train split of `{data['pairs']}`, taken as they are"
        )
    return " and ".join(parts)
