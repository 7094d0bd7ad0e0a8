"""One training at a time, in a process of its own that goes on when the page is closed; followed by the page."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread

from training.retrain import ENDS_WITH_INPUT
from training.retraining.output import bring_all_back
from training.retraining.settings import RetrainSettings
from vcs_demo.paths import models_dir
from vcs_demo.terminal import LANGUAGE
from vcs_demo.ui.html import notice, progress, refusal
from vcs_demo.ui.train.verdict import summary
from vcs_demo.words import problem, say, words

SCRIPT = Path(__file__).resolve().parents[3] / "training" / "retrain.py"
PAUSE = 0.5  # seconds between looks at the progress
STOPPED = (130, -signal.SIGTERM)  # exit codes
LINES = 50  # of its output that are kept in memory
_STEP = re.compile(r"step \d+/\d+ ")


class Trainer:
    """Starts, follows and stops `training/retrain.py`, which ends with the app and goes on from its checkpoint."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._output = Path()
        self._lines: deque[str] = deque(maxlen=LINES)
        self._reader = Thread()
        self._asked_to_stop = False
        self._lock = Lock()
        bring_all_back(models_dir())

    @property
    def running(self) -> bool:
        """Tell whether a training is under way."""
        return self._process is not None and self._process.poll() is None

    def start(self, settings: RetrainSettings, lang: str = "en") -> None:
        """Start a training whose errors are in a language; raises UserError if one is running."""
        with self._lock:
            if self.running:
                raise problem("train.busy")
            self._output, self._lines, self._asked_to_stop = settings.output, deque(maxlen=LINES), False
            self._process = subprocess.Popen(
                [sys.executable, str(SCRIPT), *settings.as_arguments()],
                stdin=subprocess.PIPE,  # held open as long as the app lives; its end ends the training
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=os.environ | {ENDS_WITH_INPUT: "1", LANGUAGE: lang},
            )
            log = self._output.with_name(self._output.name + ".log")
            arguments = (self._process, self._lines, log)
            self._reader = Thread(target=_read, args=arguments, name="training", daemon=True)
            self._reader.start()

    def stop(self) -> bool:
        """Ask the training to stop and keep its state; tell whether there was one."""
        if not self.running:
            return False
        self._asked_to_stop = True
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return True

    def follow(self, lang: str) -> Iterator[tuple[str, str]]:
        """Yield where the training is, until it is done, stopped or failed; and then the table of results."""
        process, output, lines, reader = self._process, self._output, self._lines, self._reader
        yield progress(say(lang, "train.starting", stage="…"), 0, 1), ""
        while process.poll() is None:
            yield _where(output.with_name(output.name + ".partial") / "progress.json", lang), ""
            time.sleep(PAUSE)
        reader.join(timeout=5)
        if process.returncode == 0:
            verdict, figures = summary(output.name, lang)
            done = say(lang, "train.done", name=output.name)
            yield notice("\n".join(filter(None, (done, verdict))), "good"), figures
        elif process.returncode in STOPPED or self._asked_to_stop:
            yield notice(say(lang, "train.stopped")), ""
        elif process.returncode == -signal.SIGKILL:
            yield refusal(say(lang, "train.killed")), ""
        else:
            why = reason_of(list(lines)) or say(lang, "train.unexplained", code=process.returncode)
            yield refusal(say(lang, "train.failed", error=why)), ""


def reason_of(lines: list[str]) -> str:
    """Return why a training failed, by its last lines: its error, else the end of a traceback, else nothing."""
    told = [line.strip() for line in lines if line.strip() and not _STEP.match(line)]
    errors = [line.removeprefix("error: ") for line in told if line.startswith("error: ")]
    return (errors or told or [""])[-1][:500]


def _read(process: subprocess.Popen, lines: deque[str], log: Path) -> None:
    """Keep a process's last lines in memory, and all of them in a file as long as the disk takes them."""
    with suppress(OSError):
        log.unlink(missing_ok=True)
        log.parent.mkdir(exist_ok=True)
    with process:
        for line in process.stdout:
            lines.append(line.decode("utf-8", "replace"))
            with suppress(OSError), log.open("ab") as file:
                file.write(line)


def _where(path: Path, lang: str) -> str:
    """Render the state that a training wrote to a file last."""
    try:
        state = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        state = {"stage": "…"}
    if "step" not in state:
        key = f"stage.{state['stage']}"
        stage = say(lang, key) if key in words(lang) else "…"
        return progress(say(lang, "train.starting", stage=stage), 0, 1)
    minutes, seconds = divmod(int(state["eta"]), 60)
    facts = {"step": state["step"], "total": state["total"], "loss": f"{state['loss']:.4f}"}
    text = say(lang, "train.working", eta=f"{minutes}:{seconds:02d}", **facts)
    return progress(text, state["step"], state["total"])
