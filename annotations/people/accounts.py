"""Named accounts of a team that labels on its own machine: roles, and passwords as salted scrypt hashes."""

import hashlib
import hmac
import json
import os
import secrets
import unicodedata
from pathlib import Path

from vcs_demo.errors import UserError, quoted
from vcs_demo.files import written_whole
from vcs_demo.paths import data_dir
from vcs_demo.text import nfc

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


def add_account(name: str, role: str, password: str) -> None:
    """Add an account, or give one another role and password.

    Raises:
        UserError: an empty, reserved or over-long name, an unknown role, a password of under 8 characters.
    """
    name = nfc(name).strip()
    if not name or len(name) > LONGEST_NAME or name.lower() in _RESERVED or not name.isprintable():
        raise UserError(
            f"The name {quoted(name)} cannot be used; give 1 to {LONGEST_NAME} printable characters, and not "
            f"{' or '.join(sorted(_RESERVED))}."
        )
    if role not in ROLES:
        raise UserError(f"There is no role {quoted(role)}; the roles are {', '.join(ROLES)}.")
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserError(
            f"The password has {len(password)} characters; give {SHORTEST} to {LONGEST}, or let one be made."
        )
    salt = secrets.token_bytes(16)
    entry = {"role": role, "salt": salt.hex(), "scrypt": _hash(password, salt).hex()}
    _write(_read() | {name: entry})


def remove_account(name: str) -> None:
    """Remove an account, not its labels; raises UserError for an unknown name."""
    entries = _read()
    if nfc(name).strip() not in entries:
        raise UserError(f"There is no account {quoted(name)}; there are {', '.join(entries) or 'none'}.")
    del entries[nfc(name).strip()]
    _write(entries)


def is_password(name: str, password: str) -> bool:
    """Tell whether an account has this password; takes as long for an unknown name."""
    entry = _read().get(nfc(str(name)).strip())
    salt = bytes.fromhex(entry["salt"]) if entry else b"\0" * 16
    digest = _hash(str(password)[:LONGEST], salt)
    return entry is not None and hmac.compare_digest(digest, bytes.fromhex(entry["scrypt"]))


def _hash(password: str, salt: bytes) -> bytes:
    # One form of a letter, whatever keyboard it was typed on.
    return hashlib.scrypt(
        unicodedata.normalize("NFKC", password).encode("utf-8", "replace"), salt=salt, **_SCRYPT
    )


def _read() -> dict[str, dict[str, str]]:
    path = accounts_path()
    if not path.is_file():
        return {}
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
