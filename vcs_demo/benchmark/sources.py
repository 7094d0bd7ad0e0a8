"""Where a task's rows come from: the hub, a folder laid out like the hub, or the embedded miniature.

All three go through `datasets`. A folder mirrors the hub: `DIR/<owner>/<data set>/<config>/<split>.parquet`
(or `.jsonl`; no `<config>` level where the data set has a single one).
"""

from collections.abc import Sequence
from pathlib import Path

from vcs_demo.background import TRANSFORMERS
from vcs_demo.errors import UserError, quoted, reason
from vcs_demo.paths import data_dir, is_folder

MINIATURE = Path(__file__).parent / "miniature"
HUB_TIMEOUT = 8.0  # seconds for the first answer; the client itself retries for minutes
_SUFFIXES = {".parquet": "parquet", ".jsonl": "json"}


def check_source(source: str) -> None:
    """Raise UserError unless the source is `mini`, `hub` or a folder."""
    if source not in ("mini", "hub") and not is_folder(source):
        raise UserError(
            f"The source {quoted(source)} is not a folder; give 'mini', 'hub' or a folder laid out like the hub."
        )


def source_label(source: str) -> str:
    """Name a source for a table or a file: `mini`, `hub`, or the folder's own name (never its full path)."""
    return source if source in ("mini", "hub") else Path(source).resolve().name


def read_rows(
    source: str,
    dataset: str,
    config: str | None,
    split: str,
    columns: Sequence[str],
    parts: Sequence[str] = (),
) -> list[dict]:
    """Read one split of a data set as a list of rows.

    Args:
        source: `mini`, `hub` or a folder.
        dataset: the hub's id, such as `tmnam20/ViMedAQA`.
        config: the data set's configuration, or None where it has a single one.
        split: the split's name.
        columns: columns that must be there; others are kept too.
        parts: configurations whose concatenation stands for `config` where a folder has no file for it.

    Raises:
        UserError: no such folder, file, configuration or column; a broken file; the hub out of reach.
    """
    if source == "hub":
        tables = [_from_hub(dataset, config, split)]
    else:
        check_source(source)
        root = MINIATURE if source == "mini" else Path(source).expanduser()
        tables = [_from_file(path) for path in _files(root, source, dataset, config, split, parts)]
    rows = []
    for name, table in tables:
        missing = [column for column in columns if column not in table.column_names]
        if missing:
            raise UserError(
                f"{name} has no column {', '.join(map(quoted, missing))}; "
                f"it has {', '.join(map(quoted, table.column_names))}."
            )
        rows.extend(table.to_list())
    return rows


def _files(
    root: Path, source: str, dataset: str, config: str | None, split: str, parts: Sequence[str]
) -> list[Path]:
    folder = f"{dataset}/{config}" if config else dataset
    whole = _first_file(root / folder, split)
    if whole:
        return [whole]
    files = {part: path for part in parts if (path := _first_file(root / dataset / part, split))}
    if parts and len(files) == len(parts):
        return list(files.values())
    if files:
        missing = ", ".join(part for part in parts if part not in files)
        raise UserError(
            f"The source {quoted(source)} has {split} of {', '.join(files)} but not of {missing}, so it is not the "
            f"whole of {dataset}; add {config}/{split}.parquet, or take one part alone."
        )
    present = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.suffix in _SUFFIXES)
    listed = ", ".join(present[:8]) + (" …" if len(present) > 8 else "")
    raise UserError(
        f"The source {quoted(source)} has no {folder}/{split}.parquet (or .jsonl); "
        + (f"it has {listed}." if present else "it holds no .parquet or .jsonl file at all.")
    )


def _first_file(folder: Path, split: str) -> Path | None:
    return next((path for suffix in _SUFFIXES if (path := folder / f"{split}{suffix}").is_file()), None)


def _from_file(path: Path) -> tuple[str, "datasets.Dataset"]:  # noqa: F821
    import datasets

    datasets.disable_progress_bars()
    name = "/".join(path.parts[-3:])
    reader = datasets.Dataset.from_parquet if path.suffix == ".parquet" else datasets.Dataset.from_json
    try:
        with TRANSFORMERS:
            return name, reader(str(path), keep_in_memory=True, cache_dir=str(data_dir() / "cache"))
    except Exception as error:  # pyarrow and datasets raise many kinds for a broken file
        raise UserError(
            f"{name} cannot be read as {_SUFFIXES[path.suffix]}: {reason(error, root=True)}."
        ) from error


def _from_hub(dataset: str, config: str | None, split: str) -> tuple[str, "datasets.Dataset"]:  # noqa: F821
    import datasets
    from huggingface_hub import HfApi, constants

    name = f"{dataset}{f' ({config})' if config else ''}, split {split},"
    try:
        if not constants.is_offline_mode():
            # The client retries for half a minute when it cannot connect; this one question says so in seconds.
            HfApi().dataset_info(dataset, timeout=HUB_TIMEOUT)
        with TRANSFORMERS:
            return name, datasets.load_dataset(dataset, config, split=split)
    except Exception as error:  # the client's many network, 404 and format errors
        raise UserError(
            f"{name} cannot be fetched from the hub: {reason(error, root=True)}. Check the name and the network, "
            "set HF_HUB_OFFLINE=1 to use an earlier download, or give a folder or 'mini' as the source."
        ) from error
