"""The pool of candidates, on the Label tab: mining more, and taking the labels home."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from annotations.exchange.files import FORMATS
from annotations.exchange.manifest import export_labels
from annotations.mining import mine
from annotations.store.label_store import LabelStore
from vcs_demo.background import watched
from vcs_demo.errors import UserError
from vcs_demo.library import Library, ranker_choices
from vcs_demo.rankers.catalog import load_ranker
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.components import ENDED, QUIET, Localised, cut_off, number
from vcs_demo.ui.html import notice, progress, refusal, tables
from vcs_demo.ui.serving.downloads import Downloads
from vcs_demo.words import say


def mined(
    library: Library, store: LabelStore, ranker: str, limit: float | None, margin: float | None, lang: str
) -> Iterator[str]:
    """Mine from the source's train split into the store, yielding where it is; raises UserError."""
    task = library.task("vimedretrieve", "train")
    miner = load_ranker(ranker, allow_paths=False)
    settings = {"limit": int(number(limit)), "relative_margin": number(margin)}
    skip, result = {candidate.id for candidate in store.candidates()}, None
    for work in watched(lambda report: mine(task, miner, skip=skip, progress=report, **settings)):
        result = work.result
        text = say(lang, "label.mining", ranker=ranker, done=work.done, total=work.total or "…")
        yield progress(text, work.done, work.total)
    added, known = store.add_candidates(result.candidates)
    yield notice(say(lang, "label.mined", added=added, known=known), "good") + tables(result.table(lang))


def exported(store: LabelStore, format: str, folder: Path) -> tuple[list[Path], int]:
    """Write the labels and their manifest to new files of a folder (a `dataset` folder as a ZIP with both).

    Returns:
        The files, and the number of labelled candidates.

    Raises:
        UserError: an unknown format, or nothing to export.
    """
    if format not in FORMATS:
        raise UserError(f"There is no such format; the formats are {', '.join(FORMATS)}.")
    if format != "dataset":
        path = folder / f"labels.{format}"
        count, manifest = export_labels(store, path, format)
        return [path, manifest], count
    count, _ = export_labels(store, folder / "export" / "labels", "dataset")
    return [Path(shutil.make_archive(str(folder / "labels"), "zip", folder / "export"))], count


def build(
    library: Library,
    store: LabelStore,
    words: Localised,
    language: gr.Radio,
    access: Access,
    downloads: Downloads,
) -> tuple[gr.Dropdown, Any]:
    """Build mining and exporting; return the list of rankers that mine, and the event of a mining that ended."""
    begun = cut_off(words, "mine")
    with words.make(gr.Accordion, {"label": "label.mine_title"}, open=False):
        with gr.Row():
            ranker = words.make(
                gr.Dropdown, {"label": "label.mine_ranker"}, choices=ranker_choices(), value="bm25"
            )
            whole = {"value": 200, "minimum": 1, "maximum": 10_000, "precision": 0}
            limit = words.make(gr.Number, {"label": "label.mine_limit"}, **whole)
            shares = {"minimum": 0, "maximum": 0.5, "step": 0.01, "value": 0.05}
            margin = words.make(gr.Slider, {"label": "label.mine_margin"}, **shares)
        start = words.make(gr.Button, {"value": "label.mine"}, elem_id="vcs-mine")
        status = gr.HTML(container=False, elem_id="vcs-mining")
    with words.make(gr.Accordion, {"label": "label.export_title"}, open=False):
        with gr.Row():
            format = words.make(
                gr.Radio, {"label": "label.export_format"}, choices=list(FORMATS), value="jsonl"
            )
            save = words.make(gr.Button, {"value": "label.export"})
        files = gr.HTML(visible=False, elem_id="vcs-export-files")

    @guarded(access.operator, refusal)
    def run_mining(
        person: Person, lang: str, ranker: str, limit: float | None, margin: float | None
    ) -> Iterator[str]:
        yield from mined(library, store, ranker, limit, margin, lang)

    @guarded(access.adjudicator)  # an export shows what others answered
    def save_labels(person: Person, lang: str, format: str) -> dict:
        paths, count = exported(store, format, downloads.folder())
        links = downloads.links(paths, person, access.adjudicator, lang)
        return gr.update(value=notice(say(lang, "label.exported", count=count), "good") + links, visible=True)

    asked = [language, ranker, limit, margin]
    ended = start.click(run_mining, asked, status, concurrency_limit=1, **begun, **QUIET)
    ended.then(**ENDED, **QUIET)
    save.click(save_labels, [language, format], files, api_visibility="private")
    return ranker, ended
