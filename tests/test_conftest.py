"""The guards of conftest.py notice what they are there for."""

import sqlite3


def test_a_connection_that_is_left_open_is_noticed(connections):
    opened = sqlite3.connect(":memory:")
    assert opened is connections[-1] and not opened.closed
    opened.close()
    assert opened.closed
