"""The whole page: header, language, the tabs, and what happens before the first visitor needs it."""

import logging
import threading
from pathlib import Path

import gradio as gr

from annotations.backup.opening import open_store
from annotations.backup.push import keeper_from_environment
from annotations.mining import mine
from annotations.store.label_store import LabelStore
from vcs_demo.benchmark.sources import source_label
from vcs_demo.benchmark.tasks import MAIN_TASKS
from vcs_demo.errors import UserError
from vcs_demo.library import Library, ranker_choices
from vcs_demo.measuring.evaluate import evaluate_kept
from vcs_demo.paths import database_path
from vcs_demo.rankers.catalog import OURS, load_ranker
from vcs_demo.ui.access import Access
from vcs_demo.ui.compare import leaderboard, rerank, search
from vcs_demo.ui.components import Localised, preferred
from vcs_demo.ui.label import adjudicate, audit
from vcs_demo.ui.label import judge as label
from vcs_demo.ui.train import retrain as train
from vcs_demo.words import LANGUAGES, say

STARTER_POOL = 120  # candidates mined from the miniature for the first start
CSS = (Path(__file__).parent / "style.css").read_text("utf-8")
THEME = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
# Gradio has no Vietnamese locale and leaves the page's language at English, which screen readers then speak.
SET_LANGUAGE = "(lang) => { document.documentElement.lang = lang; }"
log = logging.getLogger(__name__)


class WarmUp:
    """What is made ready in the background after the page is up, the cheap first."""

    def __init__(self, library: Library, store: LabelStore) -> None:
        self.library, self.store = library, store
        self.keeper = keeper_from_environment(store)  # None where nothing is to be pushed
        self.finished = False
        self.pooled = threading.Event()  # there is something to label, if there is going to be
        self.pooled.set()
        self._started = threading.Lock()

    def start(self) -> None:
        """Begin, once."""
        if self._started.acquire(blocking=False):
            self.pooled.clear()
            if self.keeper:
                self.keeper.start()
            threading.Thread(target=self._run, name="warm-up", daemon=True).start()

    def stop(self) -> None:
        """Push what is left to push; the rest may be cut off."""
        if self.keeper:
            self.keeper.stop()

    def _run(self) -> None:
        try:
            for step in (self._words, self._dense, self._runs):
                try:
                    step()
                except UserError as error:  # a source without this task, say; the tab says so when it is used
                    log.warning("not made ready: %s", error)
                finally:
                    self.pooled.set()
        finally:
            self.finished = True

    def _words(self) -> None:
        self.library.index("bm25", self.library.task("vimedretrieve"))
        if self.library.source == "mini" and self.store.progress()["candidates"] == 0:
            task = self.library.task("vimedretrieve", "train")
            self.store.add_candidates(mine(task, load_ranker("bm25"), limit=STARTER_POOL).candidates)

    def _dense(self) -> None:
        if self.library.source == "mini":
            self.library.index(OURS, self.library.task("vimedretrieve"))
        else:  # a large source takes minutes: encoded when someone asks
            load_ranker(OURS).index([])

    def _runs(self) -> None:
        if self.library.source == "mini":
            for ranker in ("bm25", OURS, f"bm25+{OURS}", "minilm"):
                for name in MAIN_TASKS:
                    evaluate_kept(self.library.task(name), load_ranker(ranker))


def build_app(source: str = "mini", access: Access | None = None) -> tuple[gr.Blocks, WarmUp]:
    """Build the page for a source; return it and its warm-up, to be started once it is served.

    Raises:
        UserError: the label database cannot be used or restored, or the place to push to is set wrongly.
    """
    access = access or Access("single")
    library, words = Library(source), Localised()
    store = open_store(database_path())
    warm = WarmUp(library, store)
    with gr.Blocks(title="VCS Demo", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        with gr.Row(elem_classes="vcs-head"):
            words.make(gr.Markdown, {"value": "app.intro"})
            language = words.make(
                gr.Radio,
                {"label": "app.language"},
                choices=list(LANGUAGES),
                value="en",
                container=False,
                elem_id="vcs-language",
            )
        words.make(gr.Markdown, {"value": lambda lang: status_line(source, access, lang)})
        if access.mode == "space":
            gr.LoginButton()
        with gr.Tabs():
            searching = search.build(library, words, language)
            reranking = rerank.build(library, words, language)
            board = leaderboard.build(library, words, language, access, warm)
            labelling = label.build(library, store, words, language, access, warm.pooled)
            adjudicate.build(store, words, language, access)
            audit.build(store, words, language, access)
            training = train.build(library, store, words, language, access)

        for part, name in ((searching, "search"), (reranking, "rerank"), (board, "leaderboard")):
            gr.api(part["api"], api_name=name, concurrency_limit=4)

        quiet = {"api_visibility": "private", "show_progress": "hidden"}
        pickers = [searching["rankers"], reranking["rankers"], board["rankers"], labelling["miner"]]

        def refresh() -> list[dict]:
            choices = ranker_choices()
            return [*(gr.update(choices=choices) for _ in pickers), gr.update(choices=train.bases())]

        def opened(request: gr.Request) -> str:
            return preferred(request)

        language.change(lambda lang: words.updates(lang), language, words.components, **quiet)
        language.change(None, language, None, js=SET_LANGUAGE)
        page.load(opened, None, language, **quiet)
        page.load(refresh, None, [*pickers, training["base"]], **quiet)
        page.load(searching["refill"], [searching["task"], searching["split"]], searching["pick"], **quiet)
        page.load(reranking["refill"], reranking["task"], reranking["pick"], **quiet)
        training["finished"].then(refresh, None, [*pickers, training["base"]], **quiet)
    return page, warm


def status_line(source: str, access: Access, lang: str) -> str:
    """Say what source this is, who one is, and what is missing; source names are data, so never as markup."""
    name = say(lang, "app.mini") if source == "mini" else f"`{source_label(source).replace('`', '')}`"
    parts = [say(lang, "app.source", source=name), say(lang, f"app.{access.mode}")]
    return " · ".join(parts)
