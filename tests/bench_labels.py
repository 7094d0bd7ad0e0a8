"""How labelling holds up: `make bench-labels`, or one part with `--only load|closed|kill|scale`.

\b
load   annotators with accounts of their own label over HTTP as a browser does, all at once, with a pause to read
closed the same without a pause: each answers again as soon as the next candidate is there
kill   as load, while the app is killed (SIGKILL) at random moments and started again
scale  100,000 candidates and 300,000 labels: the next candidate, progress, agreement

Every part checks what it measures: an acknowledged label that is missing, a candidate over the cap, a label counted
twice or a damaged database ends it with exit code 1.
"""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "a password of the bench"
LABELS = ("hard", "false_negative", "trivial", "unsure")


class App:
    """The app in a process of its own, with a data directory and a port that stay when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.process = folder, None
        (folder / "source").mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start it and wait until it answers; return the seconds that took."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), "--port", str(self.port), "--source", str(self.folder / "source"),
             "--data-dir", str(self.folder)],
            stdout=subprocess.DEVNULL, stderr=(self.folder / "app.log").open("a"),
        )  # fmt: skip
        while time.monotonic() - began < 120:
            try:
                httpx.get(f"{self.url}/login_check", timeout=1)
                return time.monotonic() - began
            except httpx.TransportError:
                time.sleep(0.1)
        raise SystemExit("the app did not start; see app.log")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Annotator:
    """One annotator's browser: signs in, opens the Label tab, answers what is shown."""

    def __init__(self, name: str, app: App, seed: int) -> None:
        self.name, self.app, self.random = name, app, random.Random(seed)
        self.acknowledged: dict[str, str] = {}  # token of the lease → label
        self.seconds: list[float] = []
        self.done = self.broken = 0

    async def work(self, answers: int, pause: float) -> None:
        """Answer until so many are acknowledged or nothing is left; sign in anew whenever the app went away."""
        while self.done < answers:
            try:
                async with httpx.AsyncClient(base_url=self.app.url, timeout=60) as client:
                    await self._session(client, answers, pause)
                    return
            except (httpx.HTTPError, json.JSONDecodeError, KeyError, AssertionError) as error:
                self.broken += 1
                if self.broken > 200:
                    raise SystemExit(f"{self.name} cannot label: {error!r}") from error
                await asyncio.sleep(0.5)

    async def _session(self, client: httpx.AsyncClient, answers: int, pause: float) -> None:
        signed = await client.post("/login", data={"username": self.name, "password": PASSWORD})
        signed.raise_for_status()
        config = (await client.get("/config")).raise_for_status().json()
        ids = {c["props"].get("elem_id"): c["id"] for c in config["components"] if c["props"].get("elem_id")}
        tabs = {c["props"].get("id"): c["id"] for c in config["components"] if c["type"] == "tabitem"}

        def event(target: int, kind: str, outputs: int) -> int:
            return next(
                d["id"] for d in config["dependencies"]
                if [target, kind] in [list(t) for t in d["targets"]] and len(d["outputs"]) == outputs
            )  # fmt: skip

        opening = event(tabs["label"], "select", 9)
        keys = {label: event(ids[f"vcs-key-{n}"], "click", 8) for n, label in enumerate(LABELS, start=1)}
        session = "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=11))
        shown = await self._call(client, session, opening, ["vi", "", False])
        while self.done < answers:
            token, page = shown[6], shown[0]
            if "data-turn" not in str(page):
                return  # nothing is left
            await asyncio.sleep(self.random.uniform(0.5, 1.5) * pause)
            label = self.random.choice(LABELS)
            clock = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            began = time.monotonic()
            typed = ["vi", token, False, "", None, False, clock]
            shown = await self._call(client, session, keys[label], typed)
            if "Đã lưu" in str(shown[1]):
                self.seconds.append(time.monotonic() - began)
                self.acknowledged[token] = label
                self.done += 1

    async def _call(self, client: httpx.AsyncClient, session: str, function: int, data: list) -> list:
        """Send an event as the page does: into the queue, and its answer out of the stream."""
        body = {
            "data": data,
            "fn_index": function,
            "session_hash": session,
            "event_data": None,
            "trigger_id": None,
        }
        joined = (await client.post("/gradio_api/queue/join", json=body)).raise_for_status().json()
        last = None
        async with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message.get("event_id") not in (None, joined["event_id"]):
                    continue
                if message["msg"] == "process_generating":
                    last = last or message["output"]["data"]  # the later ones are differences alone
                if message["msg"] == "process_completed":
                    assert message["success"], message
                    found = message["output"].get("data") or last
                    return last if last and not found[6] else found
        raise httpx.ReadError("the stream ended before the answer")


def prepared(folder: Path, annotators: int, candidates: int, overlap: int) -> list[str]:
    """Fill a data directory: accounts, candidates, the cap; return the names."""
    os.environ["VCS_DATA_DIR"] = str(folder)
    from annotations.candidates import Candidate
    from annotations.people.accounts import add_account
    from annotations.store.label_store import LabelStore

    names = [f"người {number:02d}" for number in range(annotators)]
    for name in names:
        add_account(name, "annotator", PASSWORD)
    with LabelStore(folder / "labels.db") as store:
        store.add_candidates(
            Candidate.create(
                query=f"Câu hỏi {n // 4} về sức khỏe là gì?",
                positive=f"Đoạn trả lời đúng câu hỏi {n // 4}.",
                passage=f"Đoạn số {n} nói về một chuyện khác trong cùng chủ đề.",
                miner="bm25",
                rank=n % 4 + 1,
            )
            for n in range(candidates)
        )
        store.change_settings(by="bench", overlap=overlap, gold_share=0.0)
    return names


def verify(folder: Path, people: list[Annotator], overlap: int) -> dict:
    """Hold what was acknowledged against what is in the database; exit with 1 where they differ."""
    from annotations.backup.snapshot import check
    from annotations.store.label_store import LabelStore

    check(folder / "labels.db")
    with LabelStore(folder / "labels.db", read_only=True) as store:
        events = {event["token"]: event for event in store.events() if event["kind"] == "label"}
        standing = store.database.rows("SELECT candidate_id, annotator FROM labels")
    said = {token: (one.name, label) for one in people for token, label in one.acknowledged.items()}
    lost = [
        t
        for t, (name, label) in said.items()
        if t not in events or (events[t]["annotator"], events[t]["label"]) != (name, label)
    ]
    over = [c for c, n in Counter(row["candidate_id"] for row in standing).items() if n > overlap]
    pairs = Counter((event["candidate_id"], event["annotator"]) for event in events.values())
    double = [pair for pair, n in pairs.items() if n > 1]
    found = {"acknowledged": len(said), "in the database": len(events), "lost": len(lost), "over the cap": len(over),
             "double": len(double)}  # fmt: skip
    if lost or over or double:
        raise SystemExit(f"FAILED: {found}")
    return found


def load(annotators: int, answers: int, overlap: int, pause: float, kills: int = 0) -> None:
    """Let annotators label at once; with `kills`, kill the app that often meanwhile."""
    with tempfile.TemporaryDirectory(prefix="vcs-bench-") as name:
        folder = Path(name)
        need = annotators * answers // overlap + annotators
        names = prepared(folder, annotators, need, overlap)
        app = App(folder)
        started = app.start()
        people = [Annotator(name, app, seed) for seed, name in enumerate(names)]
        restarts: list[float] = []

        async def everyone() -> None:
            work = asyncio.gather(*(one.work(answers, pause) for one in people))
            chance = random.Random(0)
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(2, 8))
                if work.done():
                    break
                app.kill()
                restarts.append(await asyncio.to_thread(app.start))
            await work

        began = time.monotonic()
        asyncio.run(everyone())
        took = time.monotonic() - began
        app.stop()
        found = verify(folder, people, overlap)
    seconds = np.array([s for one in people for s in one.seconds])
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99]) * 1000
    part = "kill" if kills else "load" if pause else "closed"
    print(
        f"{part}: {annotators} annotators, {answers} answers each, pause "
        f"{pause:g} s, overlap {overlap}: {len(seconds) / took:.1f} answers/s in {took:.0f} s; submit "
        f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms; start {started:.1f} s"
    )
    if kills:
        print(f"killed {len(restarts)} times, restarts took {np.mean(restarts):.1f} s in the mean")
    print("  " + ", ".join(f"{name} {number}" for name, number in found.items()) + "; integrity ok")
    if kills and len(restarts) < kills:
        raise SystemExit(
            f"FAILED: only {len(restarts)} of {kills} kills before the work was done; give more --answers"
        )


def scale(size: int) -> None:
    """Measure on a large database; the labels are written as the app writes them, but in one transaction."""
    from annotations.candidates import Candidate
    from annotations.quality.agreement import agreement, label_rows
    from annotations.store.label_store import LabelStore

    with tempfile.TemporaryDirectory(prefix="vcs-bench-") as name:
        path, chance = Path(name) / "labels.db", random.Random(0)
        with LabelStore(path) as store:
            store.add_candidates(
                Candidate.create(
                    query=f"Câu hỏi {n // 4}?",
                    positive=f"Đúng {n // 4}.",
                    passage=f"Đoạn {n}.",
                    miner="bm25",
                )
                for n in range(size)
            )
            ids = [candidate.id for candidate in store.candidates()]
            with store.database.write():
                for number, id in enumerate(ids):
                    for who in chance.sample(range(10), 3):
                        store.database.insert("INSERT INTO events", {
                            "token": f"{number}-{who}", "at": "2026-01-01T00:00:00.000+00:00", "kind": "label",
                            "candidate_id": id, "annotator": f"a{who}", "label": chance.choice(LABELS)})  # fmt: skip
            store.change_settings(by="bench", overlap=4)
            timed = {"next candidate": [], "progress": [], "agreement": []}
            for _ in range(20):
                began = time.perf_counter()
                lease = store.claim("a1")
                timed["next candidate"].append(time.perf_counter() - began)
                store.label(lease.candidate.id, "a1", "hard", lease=lease.token)
            for _ in range(5):
                began = time.perf_counter()
                store.progress("a1")
                timed["progress"].append(time.perf_counter() - began)
            for _ in range(3):
                began = time.perf_counter()
                rows = label_rows(store)
                read = time.perf_counter() - began
                agreement(rows)
                timed["agreement"].append(time.perf_counter() - began)
        print(f"scale: {size:,} candidates, {3 * size:,} labels by 10 annotators")
        for what, seconds in timed.items():
            print(f"  {what}: median {np.median(seconds) * 1000:.0f} ms, most {max(seconds) * 1000:.0f} ms")
        print(f"  (of the last agreement, {read * 1000:.0f} ms were reading the labels)")


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--only", type=click.Choice(("load", "closed", "kill", "scale")), help="One part alone.")
@click.option("--annotators", default=64, help="How many label at once.")
@click.option("--answers", default=100, help="Of each annotator.")
@click.option("--overlap", default=3, help="Annotators a candidate.")
@click.option(
    "--pause", default=4.0, help="Of load and kill: seconds of reading before an answer, in the mean."
)
@click.option("--kills", default=20, help="Of the part `kill`.")
@click.option("--candidates", default=100_000, help="Of the part `scale`.")
def main(
    only: str | None, annotators: int, answers: int, overlap: int, pause: float, kills: int, candidates: int
) -> None:
    """Run the parts that were asked for."""
    if only in (None, "load"):
        load(annotators, answers, overlap, pause)
    if only in (None, "closed"):
        load(annotators, answers, overlap, pause=0.0)
    if only in (None, "kill"):
        load(annotators, answers, overlap, pause, kills)
    if only in (None, "scale"):
        scale(candidates)


if __name__ == "__main__":
    main()
