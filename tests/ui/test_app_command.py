"""`python app.py`: what cannot be started is said in one line, with exit code 1."""

import os
import signal
import socket

import pytest

import app


@pytest.fixture(autouse=True)
def nothing_in_the_background(monkeypatch):
    """Keep the warm-up's thread out of the other tests: it would go on after the app could not start."""
    monkeypatch.setattr("vcs_demo.ui.page.WarmUp.start", lambda self: None)


def failed(arguments, capsys):
    assert app.main(arguments) == 1
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


@pytest.mark.parametrize("port", ["-1", "70000"])
def test_a_port_that_is_none(port, capsys, tmp_path):
    assert port in failed(["--port", port, "--data-dir", str(tmp_path / "d")], capsys)


def test_a_data_directory_that_is_a_file(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in failed(["--data-dir", str(tmp_path / "file")], capsys)


def test_being_terminated_pushes_what_is_left(monkeypatch, tmp_path):
    def leave(code):
        raise SystemExit(code)

    stopped = []
    monkeypatch.setenv("VCS_BACKUP_DIR", str(tmp_path))
    monkeypatch.setattr("vcs_demo.ui.page.WarmUp.stop", lambda self: stopped.append(self.keeper.state.place))
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(app, "_serve", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="143"):
        app.main(["--data-dir", str(tmp_path / "d")])
    assert set(stopped) == {str(tmp_path)} and signal.getsignal(signal.SIGTERM) == before
