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
    log = data.with_name("app.log")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
    try:
        end = time.monotonic() + START
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > end:
                raise AppFailed(f"app.py does not answer at {url}; it printed: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield url
    finally:
        with suppress(ProcessLookupError):  # and a training that it may have started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5):
        return True
    return False
