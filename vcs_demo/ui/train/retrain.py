"""The Train tab: retrain on the labels in a process of its own, watch it, stop it."""

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import gradio as gr

from annotations.store.label_store import LabelStore
from training.retraining.labels import NO_FLOORS
from vcs_demo.benchmark.sources import source_label
from vcs_demo.errors import UserError, quoted
from vcs_demo.library import Library
from vcs_demo.paths import models_dir
from vcs_demo.rankers.catalog import CATALOG, OURS, available
from vcs_demo.rankers.hub_models import HUB
from vcs_demo.ui.access import Access
from vcs_demo.ui.components import Localised, number
from vcs_demo.ui.html import render
from vcs_demo.ui.train import experiments
from vcs_demo.ui.train.trained import allow, results, state, verdict
from vcs_demo.words import explain, say, words

ROOT = Path(__file__).resolve().parents[3]
_NAME = re.compile(r"[\w.-]{1,60}")
STAGES = 0.5  # seconds between looks at the progress


def bases() -> list[str]:
    """List what can be fine-tuned: the dense models that are here."""
    return [
        name for name in available() if name != "bm25" and not (name in HUB and HUB[name].model.untrainable)
    ]


def command(
    library: Library,
    labels: Path,
    name: str,
    base: str,
    loss: str,
    negatives: str,
    temperature: float,
    epochs: float,
    pairs: bool,
    restart: bool = False,
    anyway: bool = False,
) -> list[str]:
    """Return the arguments of `training/retrain.py` for the tab's settings.

    Raises:
        UserError: a name that is no plain folder name or is taken, a base that is not in the list.
    """
    name = str(name or "").strip()
    if not _NAME.fullmatch(name) or name.startswith(".") or name.endswith(".partial") or name in CATALOG:
        raise UserError(
            say("en", "error.model_name", name=quoted(name)), "error.model_name", name=quoted(name)
        )
    if (models_dir() / name).exists():
        raise UserError(
            say("en", "error.model_taken", name=quoted(name)), "error.model_taken", name=quoted(name)
        )
    if base not in bases():
        raise UserError(f"{quoted(base)} cannot be trained; choose one of {', '.join(bases())}.")
    words = ["--labels", str(labels), "--base", base, "--output", str(models_dir() / name)]
    words += ["--loss", str(loss), "--negatives", str(negatives)]
    words += ["--temperature", f"{number(temperature):g}", "--epochs", f"{number(epochs):g}"]
    words += ["--source", library.source]
    words += ["--pairs", library.source] if pairs else []
    return words + (["--restart"] if restart else []) + (list(NO_FLOORS) if anyway else [])


class Trainer:
    """At most one training at a time, in a process of its own that goes on when the page is closed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._output = Path()
        self._lock = Lock()

    @property
    def running(self) -> bool:
        """Tell whether a training is under way."""
        return self._process is not None and self._process.poll() is None

    def start(self, arguments: list[str]) -> None:
        """Start `training/retrain.py`; raises UserError if one is running."""
        with self._lock:
            if self.running:
                raise UserError(say("en", "train.busy"), "train.busy")
            self._output = Path(arguments[arguments.index("--output") + 1])
            with self._log.open("w", encoding="utf-8") as file:
                self._process = subprocess.Popen(
                    [sys.executable, str(ROOT / "training" / "retrain.py"), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )

    @property
    def _log(self) -> Path:
        return self._output.with_name(self._output.name + ".log")

    def stop(self) -> bool:
        """Ask the training to stop and keep its state; tell whether there was one."""
        if not self.running:
            return False
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return True

    def follow(self, lang: str) -> Iterator[tuple[str, str]]:
        """Yield where the training is, until it is done, stopped or failed; and then the table of results."""
        process, output = self._process, self._output
        yield render("progress", lang, text=say(lang, "train.starting", stage="…"), done=0, total=1), ""
        while process.poll() is None:
            yield _where(output.with_name(output.name + ".partial") / "progress.json", lang), ""
            time.sleep(STAGES)
        if process.returncode == 0:
            text = say(lang, "train.done", name=output.name) + "\n" + verdict(output.name, lang)
            yield render("notice", lang, kind="good", text=text), results(output.name, lang)
        elif process.returncode in (130, -15, -9):
            yield render("notice", lang, kind="info", text=say(lang, "train.stopped")), ""
        else:
            last = (self._log.read_text("utf-8", errors="replace").strip().splitlines() or [""])[-1]
            text = say(lang, "train.failed", error=last.removeprefix("error: ")[:500])
            yield render("notice", lang, kind="bad", text=text), ""


def _where(path: Path, lang: str) -> str:
    try:
        state = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        state = {"stage": "…"}
    if "step" not in state:
        stage = f"stage.{state['stage']}"
        text = say(lang, "train.starting", stage=say(lang, stage) if stage in words(lang) else "…")
        return render("progress", lang, text=text, done=0, total=1)
    minutes, seconds = divmod(int(state["eta"]), 60)
    text = say(
        lang,
        "train.working",
        step=state["step"],
        total=state["total"],
        loss=f"{state['loss']:.4f}",
        eta=f"{minutes}:{seconds:02d}",
    )
    return render("progress", lang, text=text, done=state["step"], total=state["total"])


def build(
    library: Library, store: LabelStore, words: Localised, language: gr.Radio, access: Access
) -> dict[str, object]:
    """Lay out the tab; return the components and events that others need."""
    trainer = Trainer()
    with words.make(gr.Tab, {"label": "train.tab"}, id="train") as tab:
        words.make(gr.Markdown, {"value": "train.explain"})
        told = gr.Markdown()
        with gr.Row():
            base = words.make(gr.Dropdown, {"label": "train.base"}, choices=bases(), value=OURS)
            name = words.make(gr.Textbox, {"label": "train.name"}, value="retrained", max_length=60)
        with gr.Row():
            loss = words.make(
                gr.Radio, {"label": "train.loss"}, choices=["modified", "infonce"], value="modified"
            )
            negatives = words.make(
                gr.Radio, {"label": "train.negatives"}, choices=["in-batch", "hard", "both"], value="both"
            )
        with gr.Row():
            temperature = words.make(
                gr.Number, {"label": "train.temperature"}, value=0.1, minimum=0.005, maximum=1, step=0.01
            )
            epochs = words.make(gr.Number, {"label": "train.epochs"}, value=3, minimum=0.1, maximum=20)
            pairs = words.make(gr.Checkbox, {"label": "train.pairs"}, value=False)
        with gr.Row():
            restart = words.make(gr.Checkbox, {"label": "train.restart"}, value=False)
            anyway = words.make(gr.Checkbox, {"label": "train.anyway"}, value=False)
        with gr.Row():
            go = words.make(gr.Button, {"value": "train.go"}, variant="primary", elem_id="vcs-train-go")
            stop = words.make(gr.Button, {"value": "train.stop"}, variant="stop")
        status = gr.HTML(container=False, elem_id="vcs-train-status")
        table = gr.HTML(container=False, elem_id="vcs-train-results")
        line = words.make(
            gr.Textbox,
            {"label": "train.command"},
            interactive=False,
            lines=2,
            buttons=["copy"],
            elem_id="vcs-command",
        )
        experiments.build(words, language)
    settings = [name, base, loss, negatives, temperature, epochs, pairs, restart, anyway]
    quiet = {"api_visibility": "private", "show_progress": "hidden"}

    def show(lang: str, *values: object) -> str:
        try:
            arguments = command(library, Path("data") / Path(str(store.path)).name, *values)
        except UserError as error:
            return f"# {explain(error, lang)}"
        arguments[arguments.index("--output") + 1] = f"data/models/{str(values[0]).strip()}"
        shown = [source_label(a) if a == library.source else a for a in arguments]
        return "python training/retrain.py " + shlex.join(shown)

    def run(
        lang: str,
        name: str,
        base: str,
        loss: str,
        negatives: str,
        temperature: float,
        epochs: float,
        pairs: bool,
        restart: bool,
        anyway: bool,
        profile: gr.OAuthProfile | None,
        request: gr.Request | None = None,
    ) -> Iterator[tuple[str, str]]:
        try:
            access.operator(profile, request)
            allow(store, anyway)
            trainer.start(
                command(
                    library,
                    Path(store.path),
                    name,
                    base,
                    loss,
                    negatives,
                    temperature,
                    epochs,
                    pairs,
                    restart,
                    anyway,
                )
            )
        except UserError as error:
            yield render("notice", lang, kind="bad", text=explain(error, lang)), ""
            return
        yield from trainer.follow(lang)

    def resume(lang: str) -> Iterator[tuple]:
        if trainer.running:
            yield from trainer.follow(lang)
        else:
            yield gr.skip(), gr.skip()

    def halt(lang: str, profile: gr.OAuthProfile | None, request: gr.Request | None = None) -> None:
        try:
            access.operator(profile, request)
        except UserError as error:
            raise gr.Error(explain(error, lang), print_exception=False) from error
        trainer.stop()

    gr.on(
        [tab.select, language.change, *(part.change for part in settings)],
        show,
        [language, *settings],
        line,
        trigger_mode="always_last",
        **quiet,
    )
    gr.on([tab.select, language.change], lambda lang: state(store, lang), language, told, **quiet)
    job = go.click(run, [language, *settings], [status, table], concurrency_limit=None, **quiet)
    # Whoever opens the tab while a training runs sees it, also after a reload.
    tab.select(resume, language, [status, table], concurrency_limit=None, **quiet)
    stop.click(halt, language, None, **quiet)
    return {"base": base, "finished": job, "trainer": trainer}
