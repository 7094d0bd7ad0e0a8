"""The error that a person is meant to read."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """One clear sentence: the offending value, what is valid, and the remedy.

    Commands print it and exit with 1; the app shows it as a message. The traceback is for the log.

    Attributes:
        key: names the sentence, for an interface that has it in other languages; empty where it has not.
        values: what the sentence is filled with.
    """

    def __init__(self, message: str, key: str = "", **values: object) -> None:
        super().__init__(message)
        self.key, self.values = key, values


def carried_out(command: Callable[[], int | None], interrupted: str) -> int:
    """Run a command; return its exit code, 1 after one clear line on standard error, or 130 when it was stopped.

    Args:
        command: does the work; None counts as 0.
        interrupted: what to say when it was stopped.
    """
    try:
        return command() or 0
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or 'a file'}: {error.strerror or error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{interrupted}\n")
        return 130


def reason(error: BaseException, *, root: bool = False) -> str:
    """Return what an exception of a library says, on one line without its full stop, at most 200 characters.

    Args:
        error: the exception.
        root: what its first cause says instead.
    """
    while root and error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if len(text) <= 200 else text[:199] + "…").rstrip(".")


def quoted(value: object, limit: int = 80) -> str:
    """Quote a value for a message: on one line, printable, at most `limit` characters."""
    shown = (c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in str(value)[: 10 * limit])
    text = " ".join("".join(shown).split())
    return f"'{text if len(text) <= limit else text[: limit - 1] + '…'}'"
