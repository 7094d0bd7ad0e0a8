"""The recipe's working folder: one vocabulary, the pairs cut into its tokens, and runs with settings and weights."""

import json
import random
from dataclasses import asdict
from pathlib import Path

import torch
from tokenizers import Tokenizer

from training.recipe import corpus
from training.recipe.batches import Kind
from training.recipe.encoders import ContextEncoder, StaticTable, Tower
from training.recipe.settings import TowerSettings
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import write_json, write_text, written_whole
from vcs_demo.terminal import say
from vcs_demo.text import content_hash, written_hash

LISTED = (
    "news",
    "qa",
    "sections",
    "nli",
)  # kinds whose queries are in the data; the others are cut by the recipe
PASSAGE_TOKENS = 160  # that are kept of a text; a batch takes at most `max_tokens` of them


def existing(path: Path) -> Path:
    """Return the path; raises UserError where no file is."""
    if not path.is_file():
        raise UserError(f"{quoted(path)} is not there; run the stage that makes it first (see --help).")
    return path


def read_tokenizer(work: Path) -> Tokenizer:
    """Read the folder's tokenizer; raises UserError if no stage has made it."""
    return Tokenizer.from_file(str(existing(work / "tokenizer.json")))


def pairs_by_kind(work: Path, data: Path, tokenizer: Tokenizer, settings: TowerSettings) -> dict[str, Kind]:
    """Return the tokenised pairs, made at the first call (two minutes) and kept in the folder.

    `queries.txt` gets the hashes of the queries that are in the data, for the model to carry.
    """
    folder = work / "pairs"
    mark = {"seed": settings.seed, "rows": settings.rows, "tokenizer": written_hash(tokenizer.to_str())}
    mark["data"] = {path.name: path.stat().st_size for path in sorted(data.glob("train_*.jsonl.xz"))}
    done = folder / "done.json"
    if not done.is_file() or json.loads(done.read_text("utf-8")) != mark:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in (done, *folder.glob("*.npz")):
            stale.unlink(missing_ok=True)
        say("making pairs …")
        queries = {content_hash(premise)[:16] for premise in corpus.premises(data)}
        for name, rows in corpus.pairs(data, settings.seed).items():
            if len(rows) > settings.rows:
                rows = random.Random(settings.seed).sample(rows, settings.rows)
            if name in LISTED:
                queries |= {content_hash(row.query)[:16] for row in rows}
            kind = Kind.of(rows, tokenizer, PASSAGE_TOKENS)
            kind.save(folder / f"{name}.npz")
            say(f"{name}: {len(rows):,} pairs, {sum(map(len, kind.texts)) / 1e6:.1f} M tokens")
        write_text(work / "queries.txt", "\n".join(sorted(queries)))
        write_json(done, mark)
    return {path.stem: Kind.load(path) for path in sorted(folder.glob("*.npz"))}


def begin_run(folder: Path, settings: TowerSettings, tokenizer: Tokenizer) -> Path:
    """Return a run's folder, with its settings in it; raises UserError where a run of other settings is."""
    mark = asdict(settings) | {"tokenizer": written_hash(tokenizer.to_str())}
    del mark["every"]  # it changes nothing that comes out
    file = folder / "run.json"
    if (folder / "checkpoint.pt").is_file():
        begun = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        if other := sorted(name for name in mark | begun if mark.get(name) != begun.get(name)):
            was, now = (quoted(facts.get(other[0])) for facts in (begun, mark))
            raise UserError(
                f"{quoted(folder)} holds a run with another {other[0]} ({was}, not {now}); give another --run-name, "
                "or delete the folder."
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(file, mark)
    return folder


def keep_tower(tower: Tower, folder: Path) -> None:
    """Write a tower's weights, and what it is made again from."""
    folder.mkdir(exist_ok=True)
    with written_whole(folder / "tower.pt", "wb") as file:
        torch.save(tower.state_dict(), file)
    write_json(folder / "tower.json", tower.facts)


def read_tower(folder: Path, tokenizer: Tokenizer) -> Tower:
    """Read a trained run; raises UserError if it is not there or is of another vocabulary."""
    facts = json.loads(existing(folder / "tower.json").read_text("utf-8"))
    weights = torch.load(existing(folder / "tower.pt"), weights_only=True)
    vocabulary = tokenizer.get_vocab_size()
    size = len(weights["bert.embeddings.word_embeddings.weight" if facts else "table"])
    if size != vocabulary:
        raise UserError(
            f"{quoted(folder)} has {size:,} tokens and the tokenizer beside it {vocabulary:,}; "
            "give each vocabulary a --work of its own."
        )
    tower = ContextEncoder(**facts) if facts else StaticTable(vocabulary)
    tower.load_state_dict(weights)
    tower.after_step()
    return tower
