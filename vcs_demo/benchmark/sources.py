"""Where a task's rows come from: the hub, a folder laid out like the hub, or the embedded miniature.

A folder mirrors the hub: `DIR/<owner>/<data set>/<config>/<split>.parquet` (or `.jsonl`; no `<config>` level where the
data set has a single one). Its files are read anew by each process, whatever their times say.
"""

from collections.abc import Sequence
from pathlib import Path

from vcs_demo.background import TRANSFORMERS
from vcs_demo.errors import UserError, quoted, reason
from vcs_demo.files import disk_fault, unsaved
from vcs_demo.paths import found, is_folder, tail
from vcs_demo.reading.rows import JSON, PARQUET
from vcs_demo.reading.rows import read_rows as read_file

MINIATURE = Path(__file__).parent / "miniature"
HUB_TIMEOUT = 8.0  # seconds for the first answer; the client itself retries for minutes
_SUFFIXES = (PARQUET, *JSON)


def check_source(source: str) -> None:
    """Raise UserError unless the source is `mini`, `hub` or a folder."""
    if source not in ("mini", "hub") and not is_folder(source):
        raise UserError(
            f"The source {quoted(source)} is not a folder; give 'mini', 'hub' or a folder laid out like the hub."
        )


def source_label(source: str) -> str:
    """Name a source for a table or a file: `mini`, `hub`, or the folder's own name (never its full path).

    A folder that is called mini or hub has its parent's name before it.
    """
    if source in ("mini", "hub"):
        return source
    folder = found(source).resolve()
    return tail(folder) if tail(folder) not in ("mini", "hub") else f"{tail(folder.parent)}/{tail(folder)}"


def files_of(source: str, dataset: str, config: str | None, split: str, parts: Sequence[str]) -> list[Path]:
    """Return the files that `read_rows` reads, none for the hub; raises UserError where they are not there."""
    if source == "hub":
        return []
    check_source(source)
    root = MINIATURE if source == "mini" else found(source)
    return _files(root, source, dataset, config, split, parts)


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
        UserError: no such folder, file, configuration or column; a broken or empty file; the hub out of reach.
    """
    if source == "hub":
        tables = [_from_hub(dataset, config, split)]
    else:
        tables = [_from_file(path) for path in files_of(source, dataset, config, split, parts)]
    everything = []
    for name, rows in tables:
        if not rows:
            raise UserError(f"{name} has no row; put the data there, or take another split or source.")
        present = dict.fromkeys(column for row in rows for column in row)
        missing = [column for column in columns if column not in present]
        if missing:
            raise UserError(
                f"{name} has no column {', '.join(map(quoted, missing))}; "
                f"it has {', '.join(map(quoted, [*present][:20]))}."
            )
        everything.extend(rows)
    return everything


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
    present = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES)
    listed = ", ".join(present[:8]) + (" …" if len(present) > 8 else "")
    raise UserError(
        f"The source {quoted(source)} has no {folder}/{split}.parquet (or .jsonl); "
        + (f"it has {listed}." if present else "it holds no .parquet or .jsonl file at all.")
    )


def _first_file(folder: Path, split: str) -> Path | None:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return next(
        (
            path
            for suffix in _SUFFIXES
            for path in files
            if path.stem == split and path.suffix.lower() == suffix and path.is_file()
        ),
        None,
    )


def _from_file(path: Path) -> tuple[str, list[dict]]:
    name, rows = "/".join(path.parts[-3:]), []
    try:
        for number, row in read_file(path):
            if not isinstance(row, dict):
                why = row if isinstance(row, str) else "It is not a JSON object."
                raise UserError(f"{quoted(path.name)} cannot be read as rows, at {number}: {why}")
            rows.append(row)
    except UserError as error:
        raise UserError(f"In {'/'.join(path.parts[-3:-1])}: {error}") from error
    return name, rows


def _from_hub(dataset: str, config: str | None, split: str) -> tuple[str, list[dict]]:
    import datasets
    from huggingface_hub import HfApi, constants

    name = f"{dataset}{f' ({config})' if config else ''}, split {split},"
    try:
        if not constants.is_offline_mode():
            # The client retries for half a minute when it cannot connect; this one question says so in seconds.
            HfApi().dataset_info(dataset, timeout=HUB_TIMEOUT)
        with TRANSFORMERS:
            return name, datasets.load_dataset(dataset, config, split=split).to_list()
    except Exception as error:  # the client's many network, 404 and format errors
        if fault := disk_fault(error):
            raise unsaved(fault, fault.filename or "the hub's cache") from error
        raise UserError(
            f"{name} cannot be fetched from the hub: {reason(error, root=True)}. Check the name and the network, "
            "set HF_HUB_OFFLINE=1 to use an earlier download, or give a folder or 'mini' as the source."
        ) from error
