"""The pool of candidates, on the Label tab: mining more, and taking the labels home."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from annotations.exchange.labels import FORMATS
from annotations.exchange.manifest import export_frozen
from annotations.mining import MiningResult, mine
from annotations.store.label_store import LabelStore
from vcs_demo.background import watched
from vcs_demo.errors import UserError
from vcs_demo.library import Library, ranker_choices
from vcs_demo.rankers.catalog import load_ranker
from vcs_demo.ui.access import Access
from vcs_demo.ui.components import Localised, number
from vcs_demo.ui.downloads import new_folder
from vcs_demo.ui.html import render
from vcs_demo.words import explain, say


def mining_report(result: MiningResult, lang: str) -> str:
    """Say what was found, and what was not and why, a line each."""
    taken = len({candidate.query_id for candidate in result.candidates})
    lines = [say(lang, "label.mined_from", count=len(result.candidates), taken=taken, queries=result.queries)]
    for key, counts in (("label.mined_dropped", result.dropped), ("label.mined_rejected", result.rejected)):
        for reason, count in counts.items():
            lines.append(say(lang, key, count=count, reason=say(lang, f"mining.{reason}")))
    if result.unretrieved:
        lines.append(say(lang, "label.mined_unretrieved", count=result.unretrieved))
    return "\n".join(lines)


def mined(
    library: Library, store: LabelStore, ranker: str, limit: int, margin: float, lang: str
) -> Iterator[str]:
    """Mine from the source's train split into the store, yielding a line about where it is."""
    try:
        task = library.task("vimedretrieve", "train")
        chosen = load_ranker(ranker, allow_paths=False)
        amount, share = number(limit), number(margin)
        result, there = None, {candidate.id for candidate in store.candidates()}
        for state in watched(
            lambda report: mine(
                task, chosen, limit=int(amount), relative_margin=share, skip=there, progress=report
            )
        ):
            result = state.result
            text = say(lang, "label.mining", ranker=ranker, done=state.done, total=state.total or "…")
            yield render("progress", lang, text=text, done=state.done, total=max(state.total, 1))
        added, known = store.add_candidates(result.candidates)
        text = say(lang, "label.mined", added=added, known=known, report=mining_report(result, lang))
        yield render("notice", lang, kind="good", text=text)
    except UserError as error:
        yield render("notice", lang, kind="bad", text=explain(error, lang))


def exported(store: LabelStore, format: str) -> tuple[list[Path], int]:
    """Write the labels and their manifest to new temporary files (a `dataset` folder as a ZIP with both).

    Returns:
        The files, and the number of labelled candidates.
    """
    if format not in FORMATS:
        raise UserError(f"There is no such format; the formats are {', '.join(FORMATS)}.")
    folder = new_folder()
    if format != "dataset":
        path = folder / f"labels.{format}"
        count, manifest = export_frozen(store, path, format)
        return [path, manifest], count
    count, _ = export_frozen(store, folder / "export" / "labels", "dataset")
    return [Path(shutil.make_archive(str(folder / "labels"), "zip", folder / "export"))], count


@dataclass(frozen=True)
class Parts:
    """What the tab needs of this part: the list of rankers, and the event of a mining that ended."""

    miner: gr.Dropdown
    mined: Any


def build(library: Library, store: LabelStore, words: Localised, language: gr.Radio, access: Access) -> Parts:
    """Lay out mining and exporting."""
    with words.make(gr.Accordion, {"label": "label.mine_title"}, open=False):
        with gr.Row():
            miner = words.make(
                gr.Dropdown, {"label": "label.mine_ranker"}, choices=ranker_choices(), value="bm25"
            )
            limit = words.make(
                gr.Number,
                {"label": "label.mine_limit"},
                value=200,
                minimum=1,
                maximum=10_000,
                precision=0,
            )
            margin = words.make(
                gr.Slider, {"label": "label.mine_margin"}, minimum=0, maximum=0.5, step=0.01, value=0.05
            )
        start = words.make(gr.Button, {"value": "label.mine"}, elem_id="vcs-mine")
        mining = gr.HTML(container=False, elem_id="vcs-mining")
    with words.make(gr.Accordion, {"label": "label.export_title"}, open=False):
        with gr.Row():
            format = words.make(
                gr.Radio, {"label": "label.export_format"}, choices=list(FORMATS), value="jsonl"
            )
            save = words.make(gr.Button, {"value": "label.export"})
        file = gr.File(show_label=False, visible=False, file_count="multiple", interactive=False)

    def run(
        ranker: str,
        limit: int,
        margin: float,
        lang: str,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None = None,
    ) -> Iterator[str]:
        try:
            access.operator(profile, request)
        except UserError as error:
            yield render("notice", lang, kind="bad", text=explain(error, lang))
            return
        yield from mined(library, store, ranker, limit, margin, lang)

    ended = start.click(
        run,
        [miner, limit, margin, language],
        mining,
        concurrency_limit=1,
        api_visibility="private",
        show_progress="hidden",
    )

    def save_labels(
        format: str, lang: str, profile: gr.OAuthProfile | None, request: gr.Request | None = None
    ) -> dict:
        try:
            access.adjudicator(profile, request)  # an export shows what others answered
            paths, count = exported(store, format)
            title = say(lang, "label.exported", count=count)
            return gr.update(value=[str(path) for path in paths], visible=True, label=title, show_label=True)
        except UserError as error:
            raise gr.Error(explain(error, lang), print_exception=False) from error

    save.click(save_labels, [format, language], file, api_visibility="private")
    return Parts(miner, ended)
