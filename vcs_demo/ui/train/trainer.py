"""One training at a time, in a process of its own that goes on when the page is closed; followed by the page."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from training.retraining.settings import RetrainSettings
from vcs_demo.ui.html import notice, progress, refusal
from vcs_demo.ui.train.verdict import summary
from vcs_demo.words import problem, say, words

SCRIPT = Path(__file__).resolve().parents[3] / "training" / "retrain.py"
PAUSE = 0.5  # seconds between looks at the progress
STOPPED = (130, -15, -9)  # exit codes


class Trainer:
    """Starts, follows and stops `training/retrain.py`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._output = Path()
        self._lock = Lock()

    @property
    def running(self) -> bool:
        """Tell whether a training is under way."""
        return self._process is not None and self._process.poll() is None

    def start(self, settings: RetrainSettings) -> None:
        """Start a training; raises UserError if one is running."""
        with self._lock:
            if self.running:
                raise problem("train.busy")
            self._output = settings.output
            with self._log.open("w", encoding="utf-8") as file:
                self._process = subprocess.Popen(
                    [sys.executable, str(SCRIPT), *settings.as_arguments()],
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
        yield progress(say(lang, "train.starting", stage="…"), 0, 1), ""
        while process.poll() is None:
            yield _where(output.with_name(output.name + ".partial") / "progress.json", lang), ""
            time.sleep(PAUSE)
        if process.returncode == 0:
            verdict, figures = summary(output.name, lang)
            done = say(lang, "train.done", name=output.name)
            yield notice("\n".join(filter(None, (done, verdict))), "good"), figures
        elif process.returncode in STOPPED:
            yield notice(say(lang, "train.stopped")), ""
        else:
            last = (self._log.read_text("utf-8", errors="replace").strip().splitlines() or [""])[-1]
            yield refusal(say(lang, "train.failed", error=last.removeprefix("error: ")[:500])), ""


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
