"""Embedding models: SentenceTransformer directories, scored by the cosine of their vectors."""

import hashlib
import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from vcs_demo.background import TRANSFORMERS, Progress
from vcs_demo.errors import UserError, quoted
from vcs_demo.files import state_of
from vcs_demo.rankers.base import PassageIndex, Ranker, finite, reading
from vcs_demo.rankers.contents import check_contents
from vcs_demo.rankers.training_queries import TRAINING_QUERIES, training_hashes, training_known
from vcs_demo.rankers.vectors import VectorIndex, kept_vectors
from vcs_demo.reading.texts import read_json
from vcs_demo.text import folded

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_ENCODING = 3  # raise when our own encoding or rounding changes
_WEIGHTY = {".safetensors", ".json", ".txt", ".model", ".codes", ".bin"}  # endings of what decides a score
_WEIGHTLESS = {TRAINING_QUERIES, "training.json"}
SAFE = {"local_files_only": True, "trust_remote_code": False}  # no network, no code from a model's folder
KEPT_FROM = 64  # passages: fewer are encoded anew faster than they are worth keeping


@dataclass(frozen=True)
class Usage:
    """How a model is to be used, where its own files do not say.

    Attributes:
        prompts: before queries and before passages; None: the model's own.
        segmented: its texts are words joined by underscores, as pyvi cuts them (PhoBERT's vocabulary).
        pooling: `mean` or `cls`, for a plain encoder that says nothing of it; None: its own.
        max_length: tokens; None: its own.
    """

    prompts: tuple[str, str] | None = None
    segmented: bool = False
    pooling: str | None = None
    max_length: int | None = None


class ModelRanker(Ranker):
    """A model in a directory, loaded at its first use and then once."""

    def __init__(self, name: str, path: str | Path, usage: Usage = Usage()) -> None:  # noqa: B008
        self.name = name
        self.path = Path(path)
        self.usage = usage
        self._loading = Lock()
        if not (self.path / "modules.json").is_file() and not (self.path / "config.json").is_file():
            raise UserError(
                f"{quoted(self.path)} is not a SentenceTransformer directory (no modules.json); "
                "give the folder that save_pretrained wrote."
            )

    @cached_property
    def fingerprint(self) -> str:
        """Hash what decides a score: weights, tokenizer, configuration with its prompts, usage, library versions."""
        from importlib.metadata import version

        libraries = f"{version('sentence-transformers')} {version('transformers')}"
        digest = hashlib.sha256(f"{_ENCODING} {libraries}".encode())
        for path in self._weighty():
            digest.update(f"{path.relative_to(self.path)}\n".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        self._check_unchanged()
        if self.usage != Usage():
            digest.update(repr(self.usage).encode())
        return digest.hexdigest()[:16]

    def _weighty(self) -> list[Path]:
        """Return the files that decide a score."""
        files = (path for path in sorted(self.path.rglob("*")) if path.suffix in _WEIGHTY and path.is_file())
        return [path for path in files if path.name not in _WEIGHTLESS]

    def _check_unchanged(self) -> None:
        """Raise UserError where the files are not those of the fingerprint, or of the loaded model, any more."""
        state = [(path, state_of(path)) for path in self._weighty()]
        if self.__dict__.setdefault("_state", state) != state:
            raise UserError(
                f"The model {quoted(self.name)} was written anew while it was in use; start again."
            )

    @property
    def training_hashes(self) -> frozenset[str]:
        """Return those in `training_queries.txt` beside the model, which lists whole hashes or their first digits."""
        return training_hashes(self.path) or frozenset()

    @property
    def training_known(self) -> bool:
        """Tell whether `training_queries.txt` is beside the model, and lists all that it was trained on."""
        return training_known(self.path)

    @property
    def model(self) -> Any:
        """Load the model at its first use (a second or two), once; raises UserError if it cannot be."""
        with self._loading:
            return self._model

    @cached_property
    def _model(self) -> Any:
        check_contents(self.path)
        with TRANSFORMERS:
            from transformers.utils.logging import disable_progress_bar

            disable_progress_bar()
            try:
                model = self._load()
            except Exception as error:  # transformers and safetensors raise many kinds for a broken directory
                raise UserError(
                    f"The model in {quoted(self.path)} cannot be loaded ({quoted(error, 160)}); "
                    "give a complete SentenceTransformer directory."
                ) from error
        self._check_unchanged()
        # Weights may be kept in half precision, which a CPU is slow in and an optimizer's steps are lost in.
        return model.float().eval()

    @abstractmethod
    def _load(self) -> Any:
        """Return the model."""

    def _cut(self, text: str) -> str:
        """Return the folded text, as words joined by underscores where the model wants them."""
        if not self.usage.segmented:
            return folded(text)
        from pyvi import ViTokenizer

        return ViTokenizer.tokenize(folded(text))


class DenseRanker(ModelRanker):
    """A SentenceTransformer directory: cosine similarity of its vectors, with the model's own prompts."""

    model: "SentenceTransformer"

    @classmethod
    def of(cls, name: str, model: "SentenceTransformer", base: "DenseRanker") -> "DenseRanker":
        """Return a ranker for a model in memory, such as one in training; none of its vectors are kept on disk.

        Args:
            name: what to call it.
            model: the model.
            base: the ranker it was made from: what that was trained on stays left out of evaluations.
        """
        ranker = cls(name, base.path)
        ranker.__dict__ |= {"_model": model, "fingerprint": ""}
        return ranker

    @cached_property
    def bm25_weight(self) -> float | None:
        """Return the weight that BM25 has in a fusion with this model, chosen on held-out data; None: not chosen.

        Raises:
            UserError: `fusion.json` beside the model says something else than a weight in [0, 1].
        """
        path = self.path / "fusion.json"
        if not os.path.lexists(path):
            return None
        try:
            weight = float(read_json(path)["bm25_weight"])
        except (UserError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{quoted(path.name)} of {self.name} has no bm25_weight; delete it.") from error
        if not 0 <= weight <= 1:
            raise UserError(f"The bm25_weight of {self.name} is {weight}; it must be between 0 and 1.")
        return weight

    def _load(self) -> "SentenceTransformer":
        from sentence_transformers import SentenceTransformer

        usage = self.usage
        if usage.pooling is None:
            model = SentenceTransformer(str(self.path), **SAFE)
        else:
            model = SentenceTransformer(modules=_encoder(self.path, usage.pooling))
        if usage.prompts is not None:
            model.prompts = dict(zip(("query", "document"), usage.prompts, strict=True))
        if usage.max_length is not None:
            model.max_seq_length = usage.max_length
        return model

    def index(self, passages: Sequence[str], progress: Progress | None = None) -> PassageIndex:
        """Encode the passages, equal texts once; their vectors are kept on disk for models in a folder."""
        encode = partial(self.encode, progress=progress)
        stored = len(passages) >= KEPT_FROM and self.fingerprint
        vectors = kept_vectors(self.fingerprint, passages, encode) if stored else encode(passages)
        return VectorIndex(self.name, partial(self.encode, query=True), vectors)

    def encode(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None, batch: int = 32
    ) -> np.ndarray:
        """Return L2-normalised vectors, float32 of shape (n, dimensions), with the query or document prompt.

        Texts are encoded once each, in batches of similar length, so that progress is even and padding small.

        Raises:
            UserError: a vector holds NaN or infinity, or the model cannot read a text.
        """
        texts = [self._cut(text) for text in texts]
        unique = sorted(set(texts), key=lambda text: (len(text), text))
        encode = self.model.encode_query if query else self.model.encode_document
        how = {"normalize_embeddings": True, "convert_to_numpy": True, "show_progress_bar": False}
        parts = []
        for start in range(0, len(unique), batch):
            with reading(self.name):
                parts.append(encode(unique[start : start + batch], batch_size=batch, **how))
            if progress:
                progress(min(start + batch, len(unique)), len(unique))
        if not unique:
            return np.zeros((0, self.model.get_embedding_dimension() or 0), dtype=np.float32)
        vectors = finite(np.concatenate(parts).astype(np.float32), self.name)
        row = {text: i for i, text in enumerate(unique)}
        return vectors[[row[text] for text in texts]]


def _encoder(path: Path, pooling: str) -> list:
    """Put the modules of a plain encoder together."""
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    transformer = Transformer(str(path), model_kwargs=SAFE, config_kwargs=SAFE, processor_kwargs=SAFE)
    return [transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling)]
