"""Wrong passwords: a wait that grows, and ends; nobody is locked out by others for long."""

import pytest

from vcs_demo.ui.serving.attempts import FREE, FREE_ADDRESS, FREE_NAME, LONGEST, Attempts


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def attempts(clock):
    return Attempts(clock)


def test_a_few_wrong_passwords_are_free_then_the_wait_doubles(attempts, clock):
    waits = []
    for _ in range(FREE + 9):
        waits.append(attempts.wait("an", "1.2.3.4"))
        clock.now += waits[-1]
        attempts.wrong("an", "1.2.3.4")
    assert waits[:FREE] == [0] * FREE and waits[FREE : FREE + 4] == [2, 2, 4, 8]
    assert max(waits) <= LONGEST + 1
    clock.now += LONGEST + 1
    assert attempts.wait("an", "1.2.3.4") == 0
    attempts.right("an", "1.2.3.4")
    attempts.wrong("an", "1.2.3.4")
    assert attempts.wait("an", "1.2.3.4") == 0


def test_another_address_and_another_name_do_not_wait(attempts):
    for _ in range(FREE + 5):
        attempts.wrong("an", "1.2.3.4")
    assert attempts.wait("an", "1.2.3.4") > 0
    assert attempts.wait("an", "5.6.7.8") == attempts.wait("binh", "1.2.3.4") == 0


def test_one_address_cannot_try_many_names_nor_many_addresses_one(attempts):
    for number in range(FREE_ADDRESS):
        attempts.wrong(f"name {number}", "1.2.3.4")
    assert attempts.wait("another", "1.2.3.4") > 0
    for number in range(FREE_NAME):
        attempts.wrong("an", f"10.0.0.{number}")
    assert 0 < attempts.wait("an", "9.9.9.9") <= LONGEST + 1


def test_who_signed_in_from_this_browser_before_does_not_wait_for_guessers(attempts):
    for number in range(FREE_NAME + 20):
        attempts.wrong("an", "1.2.3.4")
        attempts.wrong("an", f"10.0.0.{number}")
    assert attempts.wait("an", "1.2.3.4", "known browser") == 0


def test_the_counts_are_bounded(attempts, monkeypatch):
    monkeypatch.setattr("vcs_demo.ui.serving.attempts.MOST", 10)
    for number in range(100):
        attempts.wrong(f"name {number}", f"10.0.0.{number}")
    assert len(attempts._counts) == 10
