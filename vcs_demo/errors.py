"""The error that a person is meant to read."""


class UserError(Exception):
    """One clear sentence: the offending value, what is valid, and the remedy.

    Commands print it and exit with 1; the app shows it as a message. The traceback is for the log.

    Attributes:
        key: names the sentence in `vcs_demo/words`, which has it in every language; empty: it is in English alone.
        values: what the sentence is filled with.
    """

    def __init__(self, message: str, key: str = "", **values: object) -> None:
        super().__init__(message)
        self.key, self.values = key, values


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
