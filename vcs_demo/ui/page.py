"""The whole page: header, language, the tabs, and what connects them."""

import json
from pathlib import Path

import gradio as gr

from annotations.backup.opening import open_store
from vcs_demo.library import Library, ranker_choices
from vcs_demo.paths import database_path
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.compare import leaderboard, rerank, search
from vcs_demo.ui.components import QUIET, Localised, preferred
from vcs_demo.ui.header import backup_line, signed_in_line, status_line
from vcs_demo.ui.label import adjudicate, audit, judge
from vcs_demo.ui.serving.downloads import Downloads
from vcs_demo.ui.train import retrain
from vcs_demo.ui.warm_up import WarmUp
from vcs_demo.words import LANGUAGES, say

_HERE = Path(__file__).parent
CSS = (_HERE / "style.css").read_text("utf-8")
SCRIPTS = [_HERE / name for name in ("place.js", "label/drafts.js", "label/keys.js")]
# What Gradio's own script says in English alone, and what `place.js` puts there instead.
SAID = json.dumps({say("en", key): say("vi", key) for key in ("app.lost", "app.error")}, ensure_ascii=False)
HEAD = "\n".join(
    f"<script>\n{script}</script>"
    for script in (f"window.vcsSaid = {SAID};\n", *(path.read_text("utf-8") for path in SCRIPTS))
)
THEME = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
# Gradio has no Vietnamese locale and leaves the page's language at English, which screen readers then speak. The
# address has the language too, so that it is the same after a reload.
SET_LANGUAGE = """(lang) => {
  document.documentElement.lang = lang;
  const address = new URL(window.location);
  address.searchParams.set("lang", lang);
  window.history.replaceState(window.history.state, "", address);
}"""
# What a browser tab showed is there again after a reload (`place.js`): Gradio reloads a page that lost its server.
REMEMBER_FIELDS = "(...fields) => { vcsPlace.remember('fields', fields); }"
REMEMBER_TAB = "() => {{ vcsPlace.remember('tab', '{id}'); }}"


def build_app(
    source: str = "mini", access: Access | None = None, downloads: Downloads | None = None
) -> tuple[gr.Blocks, WarmUp]:
    """Build the page for a source; return it and its warm-up, to be started once it is served.

    Raises:
        UserError: the label database cannot be used or restored, or the backup destination is set wrongly.
    """
    access = access or Access("single")
    downloads = downloads or Downloads(access)
    library, words = Library(source), Localised()
    store = open_store(database_path())
    warm = WarmUp(library, store)
    with gr.Blocks(title="VCS Demo", analytics_enabled=False) as page:
        with gr.Row(elem_classes="vcs-head"):
            words.make(gr.Markdown, {"value": "app.intro"})
            look = {"container": False, "elem_id": "vcs-language"}
            languages = {"choices": list(LANGUAGES), "value": "en"}
            language = words.make(gr.Radio, {"label": "app.language"}, **languages, **look)
        words.make(gr.Markdown, {"value": lambda lang: status_line(source, access, lang)})
        backup = gr.HTML(visible=False, container=False, elem_id="vcs-backup")
        signed_in = gr.HTML(visible=False, container=False, elem_id="vcs-signed-in")
        if access.mode == "space":
            gr.LoginButton()
        with gr.Tabs() as tabs:
            searching = search.build(library, words, language, access)
            reranking = rerank.build(library, words, language, access)
            compared = leaderboard.build(library, words, language, access, warm)
            miners = judge.build(library, store, words, language, access, warm, downloads)
            adjudicate.build(store, words, language, access)
            audit.build(store, words, language, access, downloads)
            bases, trained = retrain.build(library, store, words, language, access)

        gr.api(search.api(library), api_name="search", concurrency_limit=4)
        gr.api(rerank.api(library), api_name="rerank", concurrency_limit=4)
        gr.api(leaderboard.api(library), api_name="leaderboard", concurrency_limit=4)

        pickers = [searching.rankers, reranking.rankers, compared, miners]

        def refresh() -> list[dict]:
            choices = ranker_choices()
            return [*(gr.update(choices=choices) for _ in pickers), gr.update(choices=retrain.bases())]

        @guarded(access.anyone)
        def show_backup(person: Person, lang: str) -> dict:
            line = backup_line(warm.push_state, access, person, lang)
            return gr.update(value=line, visible=bool(line))

        @guarded(access.anyone)
        def show_person(person: Person, lang: str) -> dict:
            line = signed_in_line(access, person, lang)
            return gr.update(value=line, visible=bool(line))

        language.change(words.updates, language, words.components, **QUIET)
        language.change(None, language, None, js=SET_LANGUAGE)
        fields = [*searching.fields, *reranking.fields]
        gr.on([field.change for field in fields], None, fields, None, js=REMEMBER_FIELDS, **QUIET)
        for tab in tabs.children:
            tab.select(None, None, None, js=REMEMBER_TAB.format(id=tab.id), **QUIET)
        page.load(preferred, None, language, **QUIET)
        page.load(None, [tabs, *fields], [tabs, *fields], js="vcsPlace.restored", **QUIET)
        for event in (page.load, trained.then):
            event(refresh, None, [*pickers, bases], **QUIET)
        for event in (page.load, language.change):
            event(show_person, language, signed_in, **QUIET)
        for event in (page.load, language.change, tabs.select):
            event(show_backup, language, backup, **QUIET)
        for part in (searching, reranking):
            part.refill_on(page.load)
    return page, warm
