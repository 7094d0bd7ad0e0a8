"""Stores that close themselves, and candidates of a few Vietnamese sentences."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from factories import candidate

from annotations.candidates import Candidate
from annotations.store.label_store import LabelStore

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture
def store() -> Iterator[LabelStore]:
    with LabelStore(":memory:") as opened:
        yield opened


@pytest.fixture
def make() -> Callable[..., Candidate]:
    """Return a maker of candidates: `make(query_number, passage_number)`."""
    return candidate


@pytest.fixture
def pool(make: Callable[..., Candidate]) -> Callable[[dict], list[Candidate]]:
    """Return a maker of candidates out of {(miner, rank): how many}."""

    def candidates(sizes):
        kinds = [kind for kind, count in sizes.items() for _ in range(count)]
        return [make(q, miner=miner, rank=rank) for q, (miner, rank) in enumerate(kinds)]

    return candidates


class Clock:
    """A clock that stands still until told to go on."""

    def __init__(self) -> None:
        self.moment = datetime(2025, 3, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **time: float) -> None:
        self.moment += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(clock) -> Iterator[LabelStore]:
    """A store that tells the time by `clock`."""
    with LabelStore(":memory:", clock=clock) as opened:
        yield opened
