"""`python app.py`: what cannot be started is said in one line, and no import is wasted on it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import app
from vcs_demo.ui.serving.server import _listening


@pytest.fixture(autouse=True)
def nothing_in_the_background(monkeypatch):
    """Keep the warm-up's thread out of the other tests: it would go on after the app could not start."""
    monkeypatch.setattr("vcs_demo.ui.warm_up.WarmUp.start", lambda self: None)


def failed(arguments, capsys, code=1):
    assert app.main(arguments) == code
    out, error = capsys.readouterr()
    lines = [line for line in error.splitlines() if line.strip()]
    assert out.strip() == "" and len(lines) == 1 and lines[0].startswith("error: "), (out, error)
    return lines[0]


@pytest.mark.parametrize("source", ["no-such-folder", "/etc/passwd"])
def test_a_source_that_is_no_folder(source, capsys, tmp_path):
    line = failed(["--source", source, "--data-dir", str(tmp_path / "d")], capsys)
    assert repr(source) in line and "'mini', 'hub'" in line


def test_a_port_in_use(capsys, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = failed(["--port", str(port), "--data-dir", str(tmp_path / "d")], capsys)
    assert str(port) in line and "--port" in line


def test_a_file_that_is_no_label_database(capsys, tmp_path):
    (tmp_path / "labels.db").write_text("not SQLite at all, and long enough to be looked at" * 40)
    assert "labels.db" in failed(["--data-dir", str(tmp_path)], capsys)


@pytest.mark.parametrize("port", ["-1", "70000", "x"])
def test_a_port_out_of_range(port, capsys, tmp_path):
    assert port in failed(["--port", port, "--data-dir", str(tmp_path / "d")], capsys, code=2)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--help"], 0, "--data-dir DIR"),
        (["--source", "/nope"], 1, "'/nope' is not a folder"),
        (["--x"], 2, "--x"),
    ],
)
def test_help_and_refusals_do_not_wait_for_gradio(arguments, code, says, tmp_path):
    script = f"import sys, app; code = app.main({arguments}); print(sorted(sys.modules)); sys.exit(code)"
    root = Path(app.__file__).parent
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.returncode == code and says in done.stdout + done.stderr
    assert "'click'" in done.stdout and not {"'gradio'", "'torch'", "'sqlite_utils'"} & set(
        done.stdout.split(", ")
    )


def test_a_data_directory_that_is_a_file(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in failed(["--data-dir", str(tmp_path / "file")], capsys)


def test_being_terminated_pushes_what_is_left(monkeypatch, tmp_path):
    def leave(code):
        raise SystemExit(code)

    stopped = []
    monkeypatch.setenv("VCS_BACKUP_DIR", str(tmp_path))
    monkeypatch.setattr(
        "vcs_demo.ui.warm_up.WarmUp.stop", lambda self: stopped.append(self.pusher.state.destination)
    )
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(app, "listen", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="143"):
        app.main(["--data-dir", str(tmp_path / "d")])
    assert set(stopped) == {str(tmp_path)} and signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_an_answers_second_packet_does_not_wait_for_a_receipt(host):
    with (
        _listening(host, 0) as listening,
        socket.create_connection(("127.0.0.1", listening.getsockname()[1])),
    ):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
