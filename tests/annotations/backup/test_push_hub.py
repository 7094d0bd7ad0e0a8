"""The same by the hub's real client, in a process of its own, against a hub on loopback."""

import json
import os
import subprocess
import sys
import time

import pytest
from loopback import hub

from annotations.backup.histories import histories
from annotations.store.label_store import LabelStore

TOKEN = "hf_aTokenThatIsNeverPrinted"
PROCESS = """
import json, logging, sys, time
from pathlib import Path
from annotations.backup import destinations as places
from annotations.backup import push as remote
from annotations.backup.opening import make_sound, open_store
from annotations.backup.destinations import HubPlace

logging.basicConfig(level=logging.WARNING)
places.ANSWER_SECONDS = places.PUSH_SECONDS = 5.0
store = open_store(sys.argv[1])
candidates = [candidate.id for candidate in store.candidates()]
pusher = remote.Pusher(store, HubPlace("team/labels"))
keeper = remote.Keeper(store, HubPlace("team/labels"), every=0.05, retry=0.05)

def label(token):
    store.label(candidates[0], "lan", "hard", token=token)

def push():
    return pusher.push()

def impatient(seconds):
    places.ANSWER_SECONDS = seconds / 3
    places.PUSH_SECONDS = seconds

def fetch(path):
    report = make_sound(path)
    return [report.action, *report.facts]

def start():
    keeper.start()

def state():
    now = keeper.state
    return [now.place, now.last_push is not None, now.lag, now.error]

def stop():
    keeper.stop()
    return state()

for line in sys.stdin:
    name, *arguments = json.loads(line)
    try:
        answer = globals()[name](*arguments)
    except Exception as error:
        answer = [getattr(error, "kind", type(error).__name__), str(error)]
    print(json.dumps(answer), flush=True)
"""


class App:
    """A process with a store, asked to do one thing after the other."""

    def __init__(self, url, path, home, **settings):
        environment = os.environ | {
            "HF_ENDPOINT": url,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(home),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "OMP_NUM_THREADS": "1",
            **settings,
        }
        self.log = path.with_suffix(".stderr")
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
            env=environment,
        )

    def ask(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.log.read_text("utf-8")
        assert TOKEN not in answer
        return json.loads(answer)

    def until(self, wanted):
        began = time.monotonic()
        while not wanted(now := self.ask("state")):
            assert time.monotonic() - began < 30, now
        return now

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        assert TOKEN not in self.log.read_text("utf-8")


@pytest.fixture
def path(tmp_path, make):
    with LabelStore(tmp_path / "a" / "labels.db") as store:
        store.add_candidates([make(n) for n in range(3)])
    return tmp_path / "a" / "labels.db"


@pytest.fixture
def served(tmp_path):
    """A hub with an empty private data set repository."""
    folder = tmp_path / "repository"
    folder.mkdir()
    with hub() as state:
        state.add("datasets", "team/labels", folder)
        state.private.add("team/labels")
        state.token = TOKEN
        state.folder = folder
        yield state


def files(served):
    return {p.relative_to(served.folder).as_posix(): p.read_bytes() for p in served.folder.rglob("*.*")}


def pushed(served):
    (history,) = histories(list(files(served)))
    assert history.end[0]  # no gap, no overlap
    return b"".join(files(served)[part[3]] for part in history.parts)


def log_of(path):
    return path.with_suffix(".events.jsonl").read_bytes()


def state(path):
    with LabelStore(path, read_only=True) as store:
        return store.candidates(), store.events(), store.counts()


def test_an_empty_disk_gets_its_labels_from_the_hub(served, path, tmp_path):
    with App(served.url, path, tmp_path / "hf", VCS_BACKUP_REPO="team/labels") as app:
        app.ask("label", "t1")
        assert app.ask("push") == 4
        before = files(served)
        app.ask("label", "t2")
        assert app.ask("push") == 1
        assert before.items() <= files(served).items() and len(files(served)) == 3
        served.requests.clear()
        assert app.ask("push") == 0 and not served.requests
        other = tmp_path / "b" / "labels.db"
        action, fact = app.ask("fetch", str(other))
        assert action == "fetched" and "'team/labels': 2 events" in fact
        assert state(other) == state(path) and log_of(other) == log_of(path) == pushed(served)
        served.private.clear()
        action, fact = app.ask("fetch", str(tmp_path / "c" / "labels.db"))
        assert action == "public" and "is public" in fact
    with App(served.url, other, tmp_path / "hf") as again:  # the same log goes on where it was
        served.private.add("team/labels")
        again.ask("label", "t3")
        assert again.ask("push") == 1
    assert pushed(served) == log_of(other)


def test_what_goes_wrong_is_one_sentence_and_the_next_push_goes_on(served, path, tmp_path):
    with App(served.url, path, tmp_path / "hf") as app:

        def fails(kind, *parts):
            app.ask("label", f"t{len(served.requests)}")
            got, said = app.ask("push")
            assert got == kind and "\n" not in said and len(said) < 300
            assert all(part in said for part in ("'team/labels'", *parts)), said

        served.token = "another"
        fails("missing", "HF_TOKEN")
        served.token = TOKEN
        folder = served.folders.pop(("datasets", "team/labels"))
        fails("missing", "make a private one")
        served.folders["datasets", "team/labels"] = folder
        served.private.clear()
        fails("public", "make it private")
        served.private.add("team/labels")
        assert files(served) == {}
        for status, kind in ((403, "refused"), (412, "changed"), (500, "unreachable"), (0, "unreachable")):
            served.refusals.append(status)
            fails(kind)
        assert len(files(served)) == 1  # the last one was made, its answer lost
        app.ask("label", "then")
        assert app.ask("push") == 1
        assert pushed(served) == log_of(path)
        app.ask("impatient", 0.3)
        served.hangs = True
        fails("unreachable", "timed out")
        served.hangs = False
        served.refusals.append(-1)
        fails("unreachable", "no answer")
        app.ask("impatient", 5)
        assert app.ask("push") == 2 and pushed(served) == log_of(path)


def test_the_keeper_pushes_beside_the_labelling_and_says_a_failure_once(served, path, tmp_path):
    served.token = "another"
    with App(served.url, path, tmp_path / "hf") as app:
        app.ask("start")
        app.ask("label", "t1")
        place, ever, lag, error = app.until(lambda now: now[3])
        assert (place, ever, lag) == ("team/labels", False, 4) and "HF_TOKEN" in error
        served.token = TOKEN
        assert app.until(lambda now: now[1])[2:] == [0, ""]
        app.ask("label", "t2")
        assert app.ask("stop")[2:] == [0, ""]
        assert pushed(served) == log_of(path)
        assert app.log.read_text("utf-8").count("not pushed") == 1
