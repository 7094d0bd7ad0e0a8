"""What a model's folder may hold: its own files, and no code that it asks to run."""

import json
from pathlib import Path

from vcs_demo.errors import UserError, quoted


def check_contents(path: Path) -> None:
    """Check a model's folder before it is loaded. Code in it is never run, so a folder that asks for that is refused.

    A model from the hub's cache consists of links into the cache. Its code is not run either; its revision is pinned.

    Raises:
        UserError: a link leads out of the folder, or a configuration names code (`auto_map`).
    """
    root = path.resolve()
    from_hub = root.parent.name == "snapshots"
    inside = root.parents[1] if from_hub else root
    for file in sorted(root.rglob("*")):
        name = quoted(file.relative_to(root))
        if file.is_symlink() and not file.resolve().is_relative_to(inside):
            raise UserError(
                f"The model in {quoted(path)} has a link out of its folder ({name}); copy the file itself there."
            )
        if not from_hub and file.name.endswith("config.json") and _names_code(file):
            raise UserError(
                f"The model in {quoted(path)} asks for code of its own (auto_map in {name}), which is never run here; "
                "give a model of the architectures that transformers has, without auto_map."
            )


def _names_code(file: Path) -> bool:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # the loading says what is wrong with it
        return False
    return isinstance(content, dict) and bool(content.get("auto_map"))
