"""Log and snapshots pushed to a folder and had back: no gap, no repeat, nothing rewritten."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from annotations.__main__ import main
from annotations.backup import push as remote
from annotations.backup.destinations import FolderPlace, HubPlace, RemoteError, place_from_environment
from annotations.backup.histories import LogReader, histories
from annotations.backup.opening import make_sound, open_store
from annotations.backup.push import Keeper, Pusher, restore_from
from annotations.backup.snapshot import restore
from annotations.store.label_store import LabelStore


@pytest.fixture
def store(tmp_path, make):
    with LabelStore(tmp_path / "a" / "labels.db") as opened:
        opened.add_candidates([make(n) for n in range(12)])
        opened.label(make(0).id, "lan", "hard", token="t0", note="ghi chú")
        yield opened


@pytest.fixture
def place(tmp_path):
    (tmp_path / "bucket").mkdir()
    return FolderPlace(tmp_path / "bucket")


@pytest.fixture
def elsewhere(tmp_path):
    return tmp_path / "b" / "labels.db"


def pushed(place):
    return b"".join((place.folder / path).read_bytes() for *_, path in histories(place.files())[-1].parts)


def log_of(path):
    return path.with_suffix(".events.jsonl").read_bytes()


def state(path):
    with LabelStore(path, read_only=True) as store:
        return store.candidates(), store.events(), store.counts()


def test_an_empty_disk_gets_the_same_labels_in_order(store, place, elsewhere, make, monkeypatch):
    assert Pusher(store, place).push() == 13
    store.label(make(1).id, "mai", "trivial", token="t1")
    store.undo("lan", token="t2")
    assert Pusher(store, place).push() == 2  # as after a restart
    monkeypatch.setenv("VCS_BACKUP_DIR", str(place.folder))
    report = make_sound(elsewhere)
    assert report.action == "fetched" and "3 events" in report.facts[0]
    assert state(elsewhere) == state(store.path) and log_of(elsewhere) == log_of(store.path)
    assert sorted(p.name for p in elsewhere.parent.iterdir()) == ["labels.db", "labels.events.jsonl"]
    with open_store(elsewhere) as there:  # and goes on in the same history
        there.label(make(2).id, "lan", "hard", token="t3")
        assert Pusher(there, place).push() == 1
    assert len(histories(place.files())) == 1 and pushed(place) == log_of(elsewhere)


def test_nothing_that_was_pushed_is_ever_rewritten(store, place, make, monkeypatch):
    monkeypatch.setattr(remote, "PART_BYTES", 2_000)
    pusher, seen = Pusher(store, place), {}
    for number in range(1, 9):
        store.label(make(number).id, "lan", "hard", token=f"n{number}")
        pusher.push()
        now = {path: (place.folder / path).stat().st_mtime_ns for path in place.files()}
        assert seen.items() <= now.items()
        seen = now
    assert len(histories(place.files())[0].parts) > 8 and pushed(place) == log_of(store.path)
    monkeypatch.setattr(place, "files", lambda: pytest.fail("asked, though nothing is new"))
    assert pusher.push() == 0


def test_a_push_that_fails_half_way_goes_on(store, place, monkeypatch):
    monkeypatch.setattr(remote, "PART_BYTES", 500)
    pusher, add, count = Pusher(store, place), place.add, iter(range(1000))

    def failing(files, delete=()):
        number = next(count)
        if number % 3 != 1:
            add(files, delete)  # the third of three is there, but its answer was lost
        if number % 3:
            raise RemoteError("unreachable", "no")

    monkeypatch.setattr(place, "add", failing)
    for _ in range(30):
        try:
            pusher.push()
            break
        except RemoteError:
            continue
    monkeypatch.undo()
    pusher.push()
    assert pushed(place) == log_of(store.path)
    lines = [(first, last) for first, last, *_ in histories(place.files())[0].parts]
    assert all(after[0] == before[1] + 1 for before, after in zip(lines, lines[1:], strict=False))


def test_a_line_still_being_written_waits(store, place):
    with store.path.with_suffix(".events.jsonl").open("ab") as file:
        file.write(b'{"token": "half')
    pusher = Pusher(store, place)
    assert pusher.push() == 13 and pushed(place).endswith(b"}\n")
    assert LogReader(pusher.reader.path).read(10).endswith(b"}\n")  # at least a line, however long


def test_a_push_does_not_run_after_those_who_label_meanwhile(store, place, make, monkeypatch):
    add, numbers = place.add, iter(range(100))

    def labelled_meanwhile(files, delete=()):
        add(files, delete)
        store.label(make(1).id, "lan", "hard", token=f"n{next(numbers)}")

    monkeypatch.setattr(place, "add", labelled_meanwhile)
    assert Pusher(store, place).push() == 13
    assert next(numbers) == 2  # a part and a snapshot


def test_snapshots_once_a_day_or_by_many_events_and_seven_stay(store, place, make, monkeypatch):
    pusher = Pusher(store, place)
    pusher.push()
    (first,) = histories(place.files())[0].snapshots
    store.label(make(1).id, "lan", "hard", token="next")
    pusher.push()
    assert len(histories(place.files())[0].snapshots) == 1  # one today is enough
    old = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y%m%dT%H%M%SZ")
    path = place.folder / first[2]
    path.rename(path.with_name(f"{old}-000000013.db"))
    for number in range(2, 11):
        store.label(make(number).id, "lan", "hard", token=f"n{number}")
        pusher.push()
        if number == 2:
            assert len(histories(place.files())[0].snapshots) == 2
            monkeypatch.setattr(remote, "SNAPSHOT_LINES", 1)
    kept = histories(place.files())[0].snapshots
    assert (
        len(kept) == 7 and kept[-1][1] == 23 and not any(path.endswith("000000013.db") for *_, path in kept)
    )


def test_a_snapshot_that_is_ahead_or_damaged_loses_nothing(store, place, elsewhere, make):
    pusher = Pusher(store, place)
    pusher.push()
    store.label(make(1).id, "lan", "hard", token="late")
    path = place.folder / histories(place.files())[0].snapshots[0][2]
    path.unlink()
    pusher.place.add(
        {path.relative_to(place.folder).as_posix(): remote.snapshot(store, path.with_suffix(".x"))}
    )
    assert restore_from(place, elsewhere).events == 2
    open_store(elsewhere).close()
    assert state(elsewhere) == state(store.path)
    path.write_bytes(path.read_bytes()[:5000])
    again = elsewhere.parent.parent / "c" / "labels.db"
    assert restore_from(place, again).events == 1  # what the log has


@pytest.mark.parametrize("harm", ["changed", "gone", "short"])
def test_a_part_that_is_not_what_was_pushed_is_refused(store, place, elsewhere, make, monkeypatch, harm):
    monkeypatch.setattr(remote, "PART_BYTES", 1_500)
    Pusher(store, place).push()
    part = place.folder / histories(place.files())[0].parts[1][3]
    content = part.read_bytes()
    part.write_bytes(content[:-40] if harm == "short" else content.replace(b"vimed", b"VIMED"))
    if harm == "gone":
        part.unlink()
    monkeypatch.setenv("VCS_BACKUP_DIR", str(place.folder))
    with pytest.raises(RemoteError, match="is not what was pushed"):
        open_store(elsewhere)
    assert not list(elsewhere.parent.iterdir())  # nothing begun that would hide what is there


def test_a_log_that_began_anew_is_put_beside_and_the_newest_comes_back(store, place, elsewhere, make, caplog):
    Pusher(store, place).push()
    copy = remote.snapshot(store, store.path.with_name("copy.db"))
    store.label(make(1).id, "lan", "hard", token="to be forgotten")
    Pusher(store, place).push()
    store.close()
    restore(store.path, copy, replay=False)
    before = dict.fromkeys(place.files())
    with open_store(store.path) as back:
        back.label(make(2).id, "lan", "hard", token="after")
        Pusher(back, place).push()
        assert Pusher(back, place).push() == 0
    assert "another than the one here" in caplog.text
    assert len(histories(place.files())) == 2 and before.keys() <= set(place.files())
    restore_from(place, elsewhere)
    assert [event["token"] for event in state(elsewhere)[1]] == ["t0", "after"]


def test_two_apps_on_one_place_lose_nothing_and_settle(store, place, elsewhere, make):
    first = Pusher(store, place)
    first.push()
    restore_from(place, elsewhere)
    with open_store(elsewhere) as other:
        second = Pusher(other, place)
        for number in range(1, 5):
            store.label(make(number).id, "lan", "hard", token=f"a{number}")
            other.label(make(number).id, "mai", "hard", token=f"b{number}")
            second.push()
            first.push()
        assert len(histories(place.files())) == 2
        ends = {history.end for history in histories(place.files())}
        assert ends == {(p.reader.lines, p.reader.digest) for p in (first, second)}


def test_a_place_out_of_reach_stops_the_start_but_not_a_label(store, elsewhere, monkeypatch, make):
    missing = FolderPlace(elsewhere.parent / "not mounted")
    monkeypatch.setenv("VCS_BACKUP_DIR", missing.name)
    with pytest.raises(RemoteError, match="no folder; mount or make it"):
        open_store(elsewhere)
    assert not elsewhere.exists()
    with open_store(store.path):  # with labels here, nobody is asked
        pass
    assert not missing.folder.exists()


def test_the_keeper_goes_on_after_failures_and_pushes_at_the_end(store, place, make, caplog):
    place.folder.rename(away := place.folder.with_name("away"))
    keeper = Keeper(store, place, every=0.01, retry=0.01)
    keeper.start()
    began = time.monotonic()
    while caplog.text.count("not pushed") < 1 or len(keeper.state.error) == 0:
        assert time.monotonic() - began < 10
    store.label(make(1).id, "lan", "hard", token="meanwhile")
    assert keeper.state.lag == 14 and keeper.state.last_push is None and "no folder" in keeper.state.error
    away.rename(place.folder)
    while keeper.state.lag or keeper.state.error:
        assert time.monotonic() - began < 10
    assert keeper.state.last_push and caplog.text.count("not pushed") == 1 and "again" in caplog.text
    idle = Keeper(store, place, every=3600)
    keeper.stop()
    idle.start()
    store.label(make(2).id, "lan", "hard", token="last")
    idle.stop()
    assert idle.state.lag == 0 and pushed(place) == log_of(store.path)
    keeper.stop()  # a second time is harmless


def test_one_push_at_a_time(store, place):
    with remote._alone(store.path), pytest.raises(RemoteError, match="is pushing at the moment"):
        Pusher(store, place).push()


def test_the_commands(store, place, own_data_dir, make, monkeypatch, capsys):
    database = ["--database", str(store.path)]
    assert main(["backup", "--push", *database]) == 1
    assert "set VCS_BACKUP_REPO or VCS_BACKUP_DIR" in capsys.readouterr().err
    monkeypatch.setenv("VCS_BACKUP_DIR", str(place.folder))
    assert main(["restore", "--from-remote"]) == 1
    assert "There are no labels" in capsys.readouterr().err
    assert main(["backup", "--push", *database]) == 0
    assert "13 new lines of the event log and the snapshot pushed" in capsys.readouterr().out
    assert main(["restore", "--from-remote"]) == 0
    assert "has 12 candidates and 1 events" in capsys.readouterr().out
    assert state(own_data_dir / "labels.db") == state(store.path)
    with LabelStore(own_data_dir / "labels.db") as here:
        here.label(make(5).id, "lan", "hard", token="only here")
        assert main(["restore", "--from-remote"]) == 1
        assert "in use" in capsys.readouterr().err
    assert main(["restore", "--from-remote"]) == 0
    assert "The former database is" in capsys.readouterr().out
    assert len(list(own_data_dir.glob("labels.replaced-*"))) == 2
    assert main(["restore", "--from-remote", "--no-replay"]) == 1


@pytest.mark.parametrize("repository", ["labels", "a/b/c", "a/b@main", "../x"])
def test_settings_that_are_none(repository, monkeypatch):
    monkeypatch.setenv("VCS_BACKUP_REPO", repository)
    with pytest.raises(RemoteError, match="owner/name"):
        place_from_environment()
    monkeypatch.setenv("VCS_BACKUP_DIR", os.curdir)
    with pytest.raises(RemoteError, match="both set"):
        place_from_environment()
    monkeypatch.setenv("VCS_BACKUP_REPO", "")
    assert isinstance(place_from_environment(), FolderPlace)
    monkeypatch.setenv("VCS_BACKUP_DIR", "")
    assert place_from_environment() is None
    with pytest.raises(RemoteError, match="HF_HUB_OFFLINE"):
        HubPlace("team/labels").files()
