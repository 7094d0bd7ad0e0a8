"""One miniature library for all tests of the tabs, a small store of candidates, and one sentence as a check."""

import shutil

import pytest
from factories import candidate

from annotations.store.label_store import LabelStore
from vcs_demo.library import Library
from vcs_demo.paths import models_dir

QUERY = "Ba dấu hiệu dễ nhớ của đột quỵ não là gì?"  # of VCS-mini's test split


@pytest.fixture(scope="session")
def library():
    return Library("mini")


@pytest.fixture
def query(library):
    assert QUERY in library.task("vimedretrieve").queries.values()
    return QUERY


@pytest.fixture
def tiny(tiny_model_dir, own_data_dir):
    """Put the tiny encoder where a retrained model would be; return the name of its ranker."""
    shutil.copytree(tiny_model_dir, models_dir() / "tiny")
    return "tiny"


def secret(number, **changes):
    """Return a candidate whose miner, rank and scores are easy to find on a page that must not show them."""
    hidden = {"miner": "secret-miner", "rank": 6173, "score": 7.5318, "positive_score": 9.2571}
    return candidate(number, **{"passage": "Người lớn bị cúm nên nghỉ ngơi vài ngày."} | hidden | changes)


@pytest.fixture
def make():
    return secret


@pytest.fixture
def store(make):
    with LabelStore(":memory:") as opened:
        opened.add_candidates([make(number) for number in range(1, 4)])
        yield opened


@pytest.fixture
def handlers():
    """Return a way to the handlers of a page by module and name, as Gradio would call them."""

    def find(page, module, name):
        functions = [event.fn for event in page.fns.values() if event.fn]
        return [
            fn
            for fn in dict.fromkeys(functions)
            if (fn.__module__, getattr(fn, "__name__", "")) == (f"vcs_demo.ui.{module}", name)
        ]

    return find


@pytest.fixture
def sentence():
    """Return a check that a message is one line, ends like a sentence and is no traceback."""

    def check(message, *parts):
        text = str(message).strip()
        assert text and "\n" not in text and len(text) < 400, text
        assert "Traceback" not in text and "Error(" not in text, text
        for part in parts:
            assert part in text, text
        return True

    return check
