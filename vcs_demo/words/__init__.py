"""Every text a person reads, in English and Vietnamese: `en.toml`, `vi.toml` and the labelling guidelines."""

import re
import tomllib
from functools import cache
from pathlib import Path

from vcs_demo.errors import UserError

LANGUAGES = (("English", "en"), ("Tiếng Việt", "vi"))
FOLDER = Path(__file__).parent
_VERSION = re.compile(r"<!-- version (\w+) -->\n")


@cache
def words(lang: str) -> dict[str, str]:
    """Return key (`section.name`) → text of one language, `vi` or else English."""
    sections = tomllib.loads((FOLDER / f"{'vi' if lang == 'vi' else 'en'}.toml").read_text("utf-8"))
    return {f"{section}.{name}": text for section, texts in sections.items() for name, text in texts.items()}


def say(lang: str, key: str, **values: object) -> str:
    """Return the text of a key in a language (`vi`, else English), with values filled in; raises KeyError."""
    return words(lang)[key].format(**values)


def problem(key: str, /, kind: type[UserError] = UserError, **values: object) -> UserError:
    """Return an error, of the class `kind`, whose English sentence is the text of a key; see `explain`."""
    return kind(say("en", key, **values), key, **values)


def explain(error: UserError, lang: str) -> str:
    """Return an error's sentence in a language where there is a text for it, else the error's own."""
    return say(lang, error.key, **error.values) if error.key in words(lang) else str(error)


@cache
def guideline(lang: str) -> tuple[str, str]:
    """Return the labelling guidelines in a language as (version, Markdown); every label keeps the version."""
    text = (FOLDER / "guidelines" / f"{'vi' if lang == 'vi' else 'en'}.md").read_text("utf-8")
    first = _VERSION.match(text)
    return first[1], text[first.end() :]
