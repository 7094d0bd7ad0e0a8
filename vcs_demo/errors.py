"""The error that a person is meant to read."""


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


def quoted(value: object, limit: int = 80) -> str:
    """Quote a value for a message, on one line and at most `limit` characters."""
    text = " ".join(str(value).split())
    return f"'{text if len(text) <= limit else text[: limit - 1] + '…'}'"
