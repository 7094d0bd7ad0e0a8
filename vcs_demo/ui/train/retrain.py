"""The Train tab: retrain on the labels, watch it, stop it."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from annotations.store.label_store import LabelStore
from training.retraining.settings import RetrainSettings
from vcs_demo.benchmark.sources import source_label
from vcs_demo.errors import UserError, quoted
from vcs_demo.library import Library
from vcs_demo.paths import models_dir
from vcs_demo.rankers.catalog import CATALOG, OURS, available, known_hub_model
from vcs_demo.ui.access import Access, Person, guarded
from vcs_demo.ui.components import ENDED, QUIET, Localised, cut_off, number
from vcs_demo.ui.html import refusal
from vcs_demo.ui.train import experiments
from vcs_demo.ui.train.trainer import Trainer
from vcs_demo.ui.train.verdict import allow, state
from vcs_demo.words import problem

_NAME = re.compile(r"[\w.-]{1,60}")


def bases() -> list[str]:
    """List what can be fine-tuned: the dense models that are here."""
    models = {name: known_hub_model(name) for name in available() if name != "bm25"}
    return [name for name, model in models.items() if model is None or not model.untrainable]


def asked(
    library: Library,
    labels: Path,
    *,
    name: str | None,
    base: str | None,
    temperature: float | None,
    epochs: float | None,
    pairs: bool,
    **others: Any,
) -> RetrainSettings:
    """Return the settings that the tab's fields ask for; `others` are settings as they are.

    Raises:
        UserError: a name that is no plain folder name or is taken, a base that is not in the list, a value outside
            its range.
    """
    name = str(name or "").strip()
    if not _NAME.fullmatch(name) or name.startswith(".") or name.endswith(".partial") or name in CATALOG:
        raise problem("error.model_name", name=quoted(name))
    if (models_dir() / name).exists():
        raise problem("error.model_taken", name=quoted(name))
    if base not in bases():
        raise UserError(f"{quoted(base)} cannot be trained; choose one of {', '.join(bases())}.")
    return RetrainSettings(
        labels=labels,
        base=base,
        output=models_dir() / name,
        temperature=number(temperature),
        epochs=number(epochs),
        source=library.source,
        pairs=library.source if pairs else None,
        **others,
    )


def as_command(settings: RetrainSettings) -> str:
    """Write the command that does what the tab would, from the repository with the data directory at `data`."""
    shown = {
        "labels": f"data/{settings.labels.name}",
        "base": settings.base,
        "output": f"data/models/{settings.output.name}",
        "loss": settings.loss,
        "negatives": settings.negatives,
        "temperature": f"{settings.temperature:g}",
        "epochs": f"{settings.epochs:g}",
        "source": source_label(settings.source),
    }
    shown |= {"pairs": shown["source"]} if settings.pairs else {}
    words = [word for name, value in shown.items() for word in (f"--{name}", value)]
    words += [f"--{name}" for name in ("restart", "anyway") if getattr(settings, name)]
    return "python training/retrain.py " + shlex.join(words)


@dataclass(frozen=True)
class Layout:
    """The tab's components that handlers read or change.

    Attributes:
        begun: what the event takes that begins a training.
        fields: the arguments of `asked` by name.
    """

    begun: dict[str, str]
    labels: gr.Markdown
    fields: dict[str, Any]
    go: gr.Button
    stop: gr.Button
    status: gr.HTML
    results: gr.HTML
    command: gr.Textbox


def laid_out(words: Localised) -> Layout:
    """Lay out the labels' state, the settings and what a training gives."""
    words.make(gr.Markdown, {"value": "train.explain"})
    labels = gr.Markdown()
    fields: dict[str, Any] = {}

    def field(name: str, kind: Callable, **look: Any) -> None:
        fields[name] = words.make(kind, {"label": f"train.{name}"}, **look)

    with gr.Row():
        field("base", gr.Dropdown, choices=bases(), value=OURS)
        field("name", gr.Textbox, value="retrained")
    with gr.Row():
        field("loss", gr.Radio, choices=["modified", "infonce"], value="modified")
        field("negatives", gr.Radio, choices=["in-batch", "hard", "both"], value="both")
    with gr.Row():
        field("temperature", gr.Number, value=0.1, minimum=0.005, maximum=1, step=0.01)
        field("epochs", gr.Number, value=3, minimum=0.1, maximum=20)
        field("pairs", gr.Checkbox, value=False)
    with gr.Row():
        field("restart", gr.Checkbox, value=False)
        field("anyway", gr.Checkbox, value=False)
    with gr.Row():
        go = words.make(gr.Button, {"value": "train.go"}, variant="primary", elem_id="vcs-train-go")
        stop = words.make(gr.Button, {"value": "train.stop"}, variant="stop")
    begun = cut_off(words, "train")
    status = gr.HTML(container=False, elem_id="vcs-train-status")
    results = gr.HTML(container=False, elem_id="vcs-train-results")
    look = {"interactive": False, "lines": 2, "buttons": ["copy"], "elem_id": "vcs-command"}
    command = words.make(gr.Textbox, {"label": "train.command"}, **look)
    return Layout(begun, labels, fields, go, stop, status, results, command)


def build(
    library: Library, store: LabelStore, words: Localised, language: gr.Radio, access: Access
) -> tuple[gr.Dropdown, Any]:
    """Build the tab; return its list of models to start from, and the event of a training that ended."""
    trainer = Trainer()
    with words.make(gr.Tab, {"label": "train.tab"}, id="train") as tab:
        on = laid_out(words)
        experiments.build(words, language)

    def settings_of(values: Sequence[Any]) -> RetrainSettings:
        return asked(library, Path(store.path), **dict(zip(on.fields, values, strict=True)))

    @guarded(access.anyone, lambda sentence: f"# {sentence}")
    def show_command(person: Person, lang: str, *values: Any) -> str:
        return as_command(settings_of(values))

    @guarded(access.adjudicator, lambda sentence: "")  # totals would sway who labels beside others
    def show_state(person: Person, lang: str) -> str:
        return state(store, lang)

    @guarded(access.operator, lambda sentence: (refusal(sentence), ""))
    def run(person: Person, lang: str, *values: Any) -> Iterator[tuple[str, str]]:
        settings = settings_of(values)
        allow(store, settings)
        trainer.start(settings, lang)
        yield from trainer.follow(lang)

    @guarded(access.operator)
    def halt(person: Person, lang: str) -> None:
        trainer.stop()

    @guarded(
        access.adjudicator, lambda sentence: (gr.skip(), gr.skip())
    )  # its table tells the labels' totals
    def resume(person: Person, lang: str) -> Iterator[tuple]:
        if trainer.running:
            yield from trainer.follow(lang)
        else:
            yield gr.skip(), gr.skip()

    given, outputs = [language, *on.fields.values()], [on.status, on.results]
    opened = [tab.select, language.change]
    changed = [field.change for field in on.fields.values()]
    gr.on([*opened, *changed], show_command, given, on.command, trigger_mode="always_last", **QUIET)
    gr.on(opened, show_state, language, on.labels, **QUIET)
    job = on.go.click(run, given, outputs, concurrency_limit=None, **on.begun, **QUIET)
    # Whoever opens the tab while a training runs sees it, also after a reload.
    followed = tab.select(resume, language, outputs, concurrency_limit=None, **QUIET)
    for event in (job.then, followed.then):
        event(**ENDED, **QUIET)
    on.stop.click(halt, language, None, **QUIET)
    return on.fields["base"], job
