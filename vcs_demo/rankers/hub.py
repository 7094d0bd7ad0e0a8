"""Models of the Hugging Face hub: how each is used, and how its files are found in the cache or downloaded."""

import re
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from vcs_demo.benchmark.sources import HUB_TIMEOUT
from vcs_demo.errors import UserError, quoted, reason
from vcs_demo.files import disk_fault, unsaved
from vcs_demo.rankers.dense import Usage

_NAME = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}(@[\w./-]{1,100})?", re.ASCII)
# The second kind is read by PyTorch's weights-only unpickler, which runs no code.
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
_SMALL = ("*.json", "*.txt", "*.model", "bpe.codes")  # configuration, tokenizer, trained-on queries; no code


@dataclass(frozen=True)
class HubModel:
    """A model of the hub and how its authors use it.

    Attributes:
        repository: `owner/name`.
        revision: a branch, tag or commit.
        usage: what its files do not say.
        reranker: a cross-encoder, rather than an encoder of single texts.
    """

    repository: str
    revision: str = "main"
    usage: Usage = Usage()
    reranker: bool = False

    @property
    def untrainable(self) -> bool:
        """Tell whether training cannot start from it: it scores pairs, or needs segmented words."""
        return self.reranker or self.usage.segmented


def is_hub_id(name: str) -> bool:
    """Tell whether a text reads `owner/name` or `owner/name@revision`."""
    return bool(_NAME.fullmatch(name)) and ".." not in name


def hub_model(name: str) -> HubModel:
    """Return the model of a bare `owner/name[@revision]`: an encoder whose own files say how it is used."""
    repository, _, revision = name.partition("@")
    return HubModel(repository, revision or "main")


def local_folder(model: HubModel) -> Path | None:
    """Return the model's folder in the hub's cache; None if it is not there, or not whole."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    for weights in _WEIGHTS:
        with suppress(LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError):
            folder = _snapshot(model, weights, local_files_only=True)
            if any(folder.glob(weights)):
                return folder
    return None


def _snapshot(model: HubModel, weights: str, **how: Any) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [*_SMALL, weights]
    return Path(snapshot_download(model.repository, revision=model.revision, allow_patterns=patterns, **how))


def download(model: HubModel) -> Path:
    """Return the model's folder, downloaded if the cache lacks it; the client shows its own progress.

    Raises:
        UserError: no network, no such repository or revision, no weights, a transfer that broke off.
    """
    cached = local_folder(model)
    if cached is not None:
        return cached
    from huggingface_hub import HfApi, constants

    name = quoted(f"{model.repository}@{model.revision}")
    if constants.is_offline_mode():
        raise UserError(
            f"The model {name} is not in the cache, and HF_HUB_OFFLINE forbids a download; unset it, or choose "
            "another ranker."
        )
    try:
        # This one question says in seconds that the hub is out of reach, or the name or revision unknown.
        info = HfApi().model_info(model.repository, revision=model.revision, timeout=HUB_TIMEOUT)
        files = [file.rfilename for file in info.siblings or ()]
        weights = next((w for w in _WEIGHTS if any(fnmatch(file, w) for file in files)), None)
        if weights is not None:
            return _snapshot(model, weights, etag_timeout=HUB_TIMEOUT)
    except Exception as error:  # the client's many network, 404 and disk errors
        if fault := disk_fault(error):
            raise unsaved(fault, fault.filename or "the hub's cache") from error
        raise UserError(
            f"The model {name} cannot be fetched from the hub: {reason(error)}. Check the name and the "
            "network; the same command goes on where it broke off."
        ) from error
    raise UserError(f"The model {name} has no weights that we load; it has {quoted(', '.join(files), 200)}.")
