"""Log and snapshots pushed to a folder or a repository and fetched from there: nothing lost, nothing overwritten."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from loopback import hub

from annotations.__main__ import main
from annotations.backup.destinations import Folder, Repository, destination_from_environment
from annotations.backup.opening import open_store
from annotations.backup.outbox import Outbox
from annotations.backup.push import Pusher, push_now, pusher_from_environment, restore_from
from annotations.backup.snapshot import restore, snapshot
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError


@pytest.fixture
def store(tmp_path, make):
    with LabelStore(tmp_path / "a" / "labels.db") as opened:
        opened.add_candidates([make(n) for n in range(12)])
        opened.label(make(0).id, "lan", "hard", token="t0", note="ghi chú")
        yield opened


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bucket").mkdir()
    return Folder(tmp_path / "bucket")


@pytest.fixture
def elsewhere(tmp_path):
    return tmp_path / "b" / "labels.db"


def files(folder):
    return sorted(
        path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*.*") if path.is_file()
    )


def parts(destination):
    return sorted(path for path in files(destination) if path.startswith("events/"))


def snapshots(destination):
    return sorted(path for path in files(destination) if path.startswith("snapshots/"))


def pushed(folder):
    return b"".join((folder.path / path).read_bytes() for path in parts(folder))


def log_of(path):
    return path.with_suffix(".events.jsonl").read_bytes()


def state(path):
    with LabelStore(path, read_only=True) as store:
        return store.candidates(), store.events(), store.counts()


def tokens(path):
    return {event["token"] for event in state(path)[1]}


def test_an_empty_disk_gets_the_same_labels_in_order(store, folder, elsewhere, make, monkeypatch, caplog):
    assert push_now(store, folder) == 13
    store.label(make(1).id, "mai", "trivial", token="t1")
    store.undo("lan", token="t2")
    assert push_now(store, folder) == 2  # as after a restart
    assert len(parts(folder)) == 2 and pushed(folder) == log_of(store.path)
    monkeypatch.setenv("VCS_BACKUP_DIR", str(folder.path))
    with open_store(elsewhere) as there:
        assert "restored from" in caplog.text and "3 events" in caplog.text
        assert state(elsewhere) == state(store.path) and log_of(elsewhere) == log_of(store.path)
        there.label(make(2).id, "lan", "hard", token="t3")
        assert push_now(there, folder) == 1  # it goes on in the same group
    assert pushed(folder) == log_of(elsewhere)


def test_two_directories_restored_from_one_place_never_overwrite_each_other(
    store, folder, elsewhere, make, tmp_path
):
    first = Pusher(store, folder, every=60)
    push_now(store, folder)
    restore_from(folder, elsewhere)
    with open_store(elsewhere) as other:
        for number in range(1, 4):
            store.label(make(number).id, "lan", "hard", token=f"a{number}")
            other.label(make(number).id, "mai", "hard", token=f"b{number}")
            push_now(other, folder)
            push_now(store, folder)
    assert first.state.error == ""
    restore_from(folder, tmp_path / "c" / "labels.db")
    assert tokens(tmp_path / "c" / "labels.db") == tokens(store.path) | tokens(elsewhere)


def test_a_directory_with_labels_of_its_own_is_put_beside(store, folder, elsewhere, make):
    push_now(store, folder)
    before = {path: (folder.path / path).read_bytes() for path in files(folder)}
    with open_store(elsewhere) as other:
        other.add_candidates([make(1)])
        other.label(make(1).id, "mai", "hard", token="other")
        push_now(other, folder)
    assert len(parts(folder)) == 2
    assert all((folder.path / path).read_bytes() == content for path, content in before.items())


def test_a_log_that_began_anew_begins_a_new_group(store, folder, make):
    push_now(store, folder)
    store.close()
    store.path.unlink()
    store.path.with_suffix(".events.jsonl").unlink()
    with LabelStore(store.path) as again:
        again.add_candidates([make(1)])
        assert push_now(again, folder) == 1
    assert len({path.split("/")[1] for path in parts(folder)}) == 2


def test_a_line_still_being_written_waits(store, folder):
    with store.path.with_suffix(".events.jsonl").open("ab") as file:
        file.write(b'{"token": "half')
    assert push_now(store, folder) == 13 and pushed(folder).endswith(b"}\n")


def test_no_part_is_ever_written_again(store, folder, make):
    box, before = Outbox(store, folder.path), {}
    for number in range(1, 4):
        box.fill()
        now = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.path.rglob("*.jsonl")}
        assert len(now) == number and before.items() <= now.items()
        before = now
        store.label(make(number).id, "lan", "hard", token=f"n{number}")


def test_a_snapshot_a_day_and_seven_stay(store, folder, make):
    box = Outbox(store, folder.path)
    box.fill()
    box.add_snapshot()
    box.add_snapshot()  # one today is enough
    (first,) = (folder.path / path for path in snapshots(folder))
    for days in range(2, 10):
        name = f"labels-{datetime.now(UTC) - timedelta(days=days):%Y%m%dT%H%M%SZ}.db"
        first.with_name(name).write_bytes(first.read_bytes())
    first.unlink()
    box.add_snapshot()  # nothing is newer
    assert len(snapshots(folder)) == 8
    store.label(make(1).id, "lan", "hard", token="next")
    box.fill()
    box.add_snapshot()
    assert len(snapshots(folder)) == 7


@pytest.mark.parametrize("harm", ["damaged", "gone"])
def test_a_snapshot_that_is_damaged_loses_nothing(store, folder, elsewhere, make, harm):
    push_now(store, folder)
    path = folder.path / snapshots(folder)[0]
    path.write_bytes(path.read_bytes()[:5000])
    if harm == "gone":
        path.unlink()
    assert restore_from(folder, elsewhere).events == 1
    assert state(elsewhere) == state(store.path)


def test_what_an_older_version_pushed_is_restored(store, folder, elsewhere):
    lines = log_of(store.path).splitlines(keepends=True)
    old = folder.path / "events" / "20250301T080000000000Z-ab12"
    old.mkdir(parents=True)
    (old / "000000001-000000005-0123456789ab.jsonl").write_bytes(b"".join(lines[:5]))
    (old / "000000006-000000013-0123456789ab.jsonl").write_bytes(b"".join(lines[5:]))
    copies = folder.path / "snapshots" / old.name
    snapshot(store, copies / "20250301T080000Z-000000013.db")
    assert restore_from(folder, elsewhere).events == 1
    assert state(elsewhere) == state(store.path)
    with open_store(elsewhere) as there:
        there.undo("lan", token="u")
        push_now(there, folder)
    assert [path[:6] + path[-11:-5] for path in parts(folder)][:2] and len(parts(folder)) == 3
    assert pushed(folder) == log_of(elsewhere)


def test_what_was_left_out_stays_out_elsewhere_too(store, folder, elsewhere, make):
    copy = snapshot(store, store.path.with_name("copy.db"))
    store.label(make(1).id, "lan", "hard", token="to be forgotten")
    push_now(store, folder)
    store.close()
    restore(store.path, copy, replay=False)
    with open_store(store.path) as back:
        back.label(make(2).id, "lan", "hard", token="after")
        push_now(back, folder)
    restore_from(folder, elsewhere)
    assert tokens(elsewhere) == {"t0", "after"}


def test_a_destination_out_of_reach_stops_the_start_but_not_a_label(store, elsewhere, monkeypatch):
    missing = elsewhere.parent / "not mounted"
    monkeypatch.setenv("VCS_BACKUP_DIR", str(missing))
    with pytest.raises(UserError, match="no folder; mount or make it"):
        open_store(elsewhere)
    assert not elsewhere.exists()
    open_store(store.path).close()  # with labels here, nobody is asked
    assert not missing.exists()


def test_the_pusher_goes_on_after_failures_and_pushes_at_the_end(store, folder, make, caplog):
    folder.path.rename(away := folder.path.with_name("away"))
    pusher = Pusher(store, folder, every=0.001)
    assert pusher.state.last_success is None
    pusher.start()
    until(lambda: "no folder" in pusher.state.error)
    assert pusher.state.last_success is None
    away.rename(folder.path)
    until(lambda: pusher.state.last_success and not pusher.state.error)
    assert caplog.text.count("not pushed") == 1
    store.label(make(2).id, "lan", "hard", token="last")
    pusher.stop()
    assert pusher.state.error == "" and pushed(folder) == log_of(store.path)
    pusher.stop()  # a second time is harmless


def until(true):
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < 10
        time.sleep(0.01)


def test_a_destination_that_never_answers_does_not_keep_the_app_from_ending(store, folder, monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(folder, "box", lambda _: answer.wait(30) and folder.path)
    pusher = Pusher(store, folder, every=60)
    pusher.start()
    pusher.stop(0.05)
    assert "no answer" in pusher.state.error
    answer.set()
    for thread in threading.enumerate():
        if thread.name == "backup":
            thread.join()


TOKEN = "hf_aTokenThatIsNeverPrinted"


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A hub on loopback with an empty private data set repository, and the real client pointed at it."""
    from huggingface_hub import constants

    (tmp_path / "repository").mkdir()
    with hub() as state:
        state.add("datasets", "team/labels", tmp_path / "repository")
        state.private.add("team/labels")
        state.token, state.folder = TOKEN, tmp_path / "repository"
        monkeypatch.setattr(constants, "ENDPOINT", state.url)
        template = state.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield state


def test_an_empty_disk_gets_its_labels_from_a_repository(served, store, elsewhere, make, monkeypatch, caplog):
    repository = Repository("team/labels")
    assert push_now(store, repository) == 13
    store.label(make(1).id, "lan", "hard", token="t1")
    assert push_now(store, repository) == 1
    assert pushed(Folder(served.folder)) == log_of(store.path)
    monkeypatch.setenv("VCS_BACKUP_REPO", "team/labels")
    with open_store(elsewhere) as there:
        assert state(elsewhere) == state(store.path) and log_of(elsewhere) == log_of(store.path)
        there.label(make(2).id, "lan", "hard", token="t2")
        pusher = pusher_from_environment(there)
        pusher.start()
        pusher.stop()
        assert pusher.state.destination == "team/labels" and pusher.state.error == ""
    assert pushed(Folder(served.folder)) == log_of(elsewhere)
    copy = served.folder / snapshots(Folder(served.folder))[0]
    for day in range(1, 9):
        copy.with_name(f"labels-2020010{day}T000000Z.db").write_bytes(b"old")
    assert push_now(store, repository) == 0
    assert len(snapshots(Folder(served.folder))) == 7 and copy.exists()
    assert TOKEN not in caplog.text


def test_what_goes_wrong_with_a_repository_is_one_sentence(served, store, monkeypatch):
    repository = Repository("team/labels")

    def fails(*words):
        with pytest.raises(UserError) as error:
            push_now(store, repository)
        said = str(error.value)
        assert "'team/labels'" in said and "\n" not in said and len(said) < 300 and TOKEN not in said
        assert all(word in said for word in words), said

    served.token = "another"
    fails("HF_TOKEN", "make a private one")
    served.token = TOKEN
    served.private.clear()
    fails("is public", "names and notes", "make it private")
    assert not list(served.folder.iterdir())  # nothing was pushed to it, and no repository was made
    served.private.add("team/labels")
    served.refusals += [403] * 9
    fails("refused", "HF_TOKEN")
    served.refusals.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    fails("HF_HUB_OFFLINE")


def test_the_commands(store, folder, own_data_dir, monkeypatch, capsys, make):
    database = ["--database", str(store.path)]
    assert main(["backup", "--push", *database]) == 1
    assert "No backup destination is set; set VCS_BACKUP_REPO or VCS_BACKUP_DIR" in capsys.readouterr().err
    monkeypatch.setenv("VCS_BACKUP_DIR", str(folder.path))
    assert main(["restore", "--from-remote"]) == 1
    assert "There are no labels" in capsys.readouterr().err
    assert main(["backup", "--push", *database]) == 0
    assert "13 new lines of the event log and a snapshot pushed" in capsys.readouterr().out
    assert main(["restore", "--from-remote"]) == 0
    assert "has 12 candidates and 1 events" in capsys.readouterr().out
    assert state(own_data_dir / "labels.db") == state(store.path)
    with LabelStore(own_data_dir / "labels.db") as here:
        here.label(make(5).id, "lan", "hard", token="only here")
        assert main(["restore", "--from-remote"]) == 1
        assert "in use" in capsys.readouterr().err
    assert main(["restore", "--from-remote"]) == 0
    assert "The former database is" in capsys.readouterr().out
    assert state(own_data_dir / "labels.db") == state(store.path)
    assert len(list(own_data_dir.glob("labels.replaced-*"))) == 2
    assert main(["restore", "--from-remote", "--no-replay"]) == 2


@pytest.mark.parametrize("repository", ["labels", "a/b/c", "a/b@main", "../x"])
def test_destinations_that_are_malformed(repository, monkeypatch):
    monkeypatch.setenv("VCS_BACKUP_REPO", repository)
    with pytest.raises(UserError, match="owner/name"):
        destination_from_environment()
    monkeypatch.setenv("VCS_BACKUP_DIR", os.curdir)
    with pytest.raises(UserError, match="both set"):
        destination_from_environment()
    monkeypatch.setenv("VCS_BACKUP_REPO", "")
    assert isinstance(destination_from_environment(), Folder)
    monkeypatch.setenv("VCS_BACKUP_DIR", "")
    assert destination_from_environment() is None


def test_snapshots_of_a_future_that_did_not_come_keep_off_no_new_one(store, folder):
    box = Outbox(store, folder.path)
    box.fill()
    box.add_snapshot(now=True)
    (first,) = (folder.path / "snapshots").rglob("*.db")
    first.rename(first.with_name("labels-29990101T000000Z.db"))  # by a clock that was wrong
    box.add_snapshot()
    assert len(snapshots(folder)) == 2
    box.add_snapshot()
    assert len(snapshots(folder)) == 2
