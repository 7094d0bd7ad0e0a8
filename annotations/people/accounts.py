"""Named accounts of a team that labels on its own machine: roles, and passwords as salted scrypt hashes."""

import hashlib
import hmac
import json
import os
import secrets
import unicodedata
from functools import lru_cache
from pathlib import Path

from vcs_demo.errors import UserError, quoted
from vcs_demo.files import written_whole
from vcs_demo.paths import data_dir
from vcs_demo.text import folded, nfc

ROLES = ("annotator", "adjudicator", "admin")  # each may do what the one before it may
SHORTEST, LONGEST = 8, 200  # characters of a password
LONGEST_NAME = 60
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}  # 16 MB and some 50 ms a try (RFC 7914)
_RESERVED = {"local", "visitor"}  # what labels and visitors without an account are filed under


def accounts_path() -> Path:
    """Return the path of the accounts (the file may not exist)."""
    return data_dir() / "accounts.json"


def accounts() -> dict[str, str]:
    """Return name → role of all accounts; raises UserError if the file is broken."""
    return {name: entry["role"] for name, entry in _read().items()}


def add_account(name: str, role: str, password: str) -> str:
    """Add an account, or give one another role and password; return its name.

    A name that looks like that of an account is that account's: it keeps the spelling that it has.

    Raises:
        UserError: an empty, reserved or over-long name, one of letters of several scripts, an unknown role, a
            password of under 8 characters.
    """
    name = nfc(name).strip()
    key = _key(name)
    if not key or len(name) > LONGEST_NAME or key in _RESERVED or not name.isprintable():
        raise UserError(
            f"The name {quoted(name)} cannot be used; give 1 to {LONGEST_NAME} printable characters, and not "
            f"{' or '.join(sorted(_RESERVED))}."
        )
    if len(scripts := _scripts(key)) > 1:
        raise UserError(
            f"The name {quoted(name)} mixes letters of several scripts ({', '.join(scripts)}), which look alike; "
            "type it with one keyboard."
        )
    if role not in ROLES:
        raise UserError(f"There is no role {quoted(role)}; the roles are {', '.join(ROLES)}.")
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserError(
            f"The password has {len(password)} characters; give {SHORTEST} to {LONGEST}, or let one be made."
        )
    salt = secrets.token_bytes(16)
    entry = {"role": role, "salt": salt.hex(), "scrypt": _hash(password, salt).hex()}
    name = account_of(name) or name
    _write(_read() | {name: entry})
    return name


def remove_account(name: str) -> None:
    """Remove an account, not its labels; raises UserError for an unknown name."""
    entries, known = _read(), account_of(name)
    if known is None:
        raise UserError(f"There is no account {quoted(name)}; there are {', '.join(entries) or 'none'}.")
    del entries[known]
    _write(entries)


def is_password(name: str, password: str) -> bool:
    """Tell whether an account has this password; takes as long for an unknown name."""
    entry = _read().get(account_of(str(name)) or "")
    salt = bytes.fromhex(entry["salt"]) if entry else b"\0" * 16
    # Bounded in the form that it was typed in: a keyboard may send up to three signs for a letter.
    digest = _hash(str(password)[: 10 * LONGEST], salt)
    return entry is not None and hmac.compare_digest(digest, bytes.fromhex(entry["scrypt"]))


def account_of(name: str) -> str | None:
    """Return the name of the account that a name means, however its letters were typed; None if there is none.

    Capitals, the placement of tone marks (`Hòa`, `Hoà`), the form of the letters and spaces make no difference.
    """
    entries, plain = _read(), nfc(name).strip()
    if plain in entries:
        return plain
    key = _key(plain[: 10 * LONGEST_NAME])
    return next((known for known in entries if _key(known) == key), None)


def _key(name: str) -> str:
    """Return the form that all spellings of a name share."""
    return folded(unicodedata.normalize("NFKC", folded(nfc(name)))).casefold()


def _scripts(key: str) -> list[str]:
    return sorted({unicodedata.name(c, "?").split()[0].capitalize() for c in key if c.isalpha()})


def account_mark(name: str) -> str | None:
    """Return what names an account's present password: another for each that is set; None if there is no account."""
    entry = _read().get(name)
    return entry and hashlib.sha256(f"{entry['salt']}{entry['scrypt']}".encode()).hexdigest()[:32]


def _hash(password: str, salt: bytes) -> bytes:
    # One form of a letter, whatever keyboard it was typed on.
    return hashlib.scrypt(
        unicodedata.normalize("NFKC", password).encode("utf-8", "replace"), salt=salt, **_SCRYPT
    )


def _read() -> dict[str, dict[str, str]]:
    path = accounts_path()
    try:
        state = path.stat()
    except FileNotFoundError:
        return {}
    return dict(_read_state(path, (state.st_ino, state.st_mtime_ns, state.st_size)))


@lru_cache(maxsize=4)
def _read_state(path: Path, state: tuple[int, ...]) -> dict[str, dict[str, str]]:
    """Read the file as it is in a state; every request asks who it is from."""
    try:
        entries = json.loads(path.read_text("utf-8"))
        for name, entry in entries.items():
            if entry["role"] not in ROLES or not all(bytes.fromhex(entry[key]) for key in ("salt", "scrypt")):
                raise ValueError(f"account {name}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"The accounts in {quoted(path.name)} cannot be read ({error}); mend or delete it."
        ) from error
    return entries


def _write(entries: dict[str, dict[str, str]]) -> None:
    with written_whole(accounts_path()) as file:
        os.fchmod(file.fileno(), 0o600)  # readable by its owner alone
        json.dump(entries, file, ensure_ascii=False, indent=1)
