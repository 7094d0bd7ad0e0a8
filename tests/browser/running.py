"""Run `python app.py` on the miniature as a process of its own, for the browser tests and the README's picture."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
START = 60  # seconds that the app may take to answer on a busy machine


class AppFailed(Exception):
    """The app stopped, or did not answer in time; the message ends with what it printed."""


@contextmanager
def running_app(data: Path) -> Iterator[str]:
    """Start the app on a free port with this data directory; yield its address; stop it, and what it started."""
    process, url = started(data, free_port())
    try:
        yield url
    finally:
        killed(process)


def free_port() -> int:
    """Return a port of this machine on which nothing listens now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def started(data: Path, port: int) -> tuple[subprocess.Popen, str]:
    """Start the app with this data directory; return its process and its address; raises AppFailed."""
    log = data.with_name("app.log")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SPACE_", "VCS_", "GRADIO_"))
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), "--port", str(port), "--data-dir", str(data)],
            env=environment | {"HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}/"
    end = time.monotonic() + START
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > end:
            killed(process)
            raise AppFailed(f"app.py does not answer at {url}; it printed: {log.read_text()[-2000:]}")
        time.sleep(0.1)
    return process, url


def killed(process: subprocess.Popen) -> None:
    """End the app at once, and a training that it may have started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5):
        return True
    return False
