"""What can be wrong with a label database as a whole."""

from vcs_demo.errors import UserError


class NotALabelDatabase(UserError, ValueError):
    """The file is no SQLite database, is another program's, or is missing."""


class DatabaseUnavailable(UserError):
    """The database or its event log cannot be read or written at the moment; nothing was saved."""
