"""Checkpoints: a damaged or unfinished one is left out, and the newest two stay, whatever the clock says."""

import os

import pytest

from training.retraining.output import check_room, kept_if_unwritable, mark_whole, newest
from vcs_demo.errors import UserError
from vcs_demo.words import explain


@pytest.fixture
def folder(tmp_path):
    """Three checkpoints as they are written one after the other, of which the newest two stay."""
    for step in (8, 9, 10):
        written(tmp_path / f"checkpoint-{step}")
        mark_whole(tmp_path / f"checkpoint-{step}")
    return tmp_path


def written(checkpoint):
    checkpoint.mkdir()
    for name in ("model.safetensors", "optimizer.pt", "trainer_state.json"):
        (checkpoint / name).write_bytes(name.encode() * 10)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_two_stay_and_the_newest_is_taken(folder):
    assert names(folder) == ["checkpoint-10", "checkpoint-9"]
    assert newest(folder).name == "checkpoint-10"
    assert newest(folder / "none") is None


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flipped(path):
    path.write_bytes(b"\x00" + path.read_bytes()[1:])


def gone(path):
    path.unlink()


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "trainer_state.json"])
@pytest.mark.parametrize("harm", [cut, flipped, gone])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(harm, name, folder, capsys):
    harm(folder / "checkpoint-10" / name)
    assert newest(folder).name == "checkpoint-9"
    assert "checkpoint-10 is damaged and left out" in capsys.readouterr().err
    harm(folder / "checkpoint-9" / name)
    assert newest(folder) is None and names(folder) == []  # from the start, with the same result


def test_a_checkpoint_that_was_being_written_is_no_checkpoint(folder):
    written(folder / "checkpoint-11")
    assert newest(folder).name == "checkpoint-10" and "checkpoint-11" not in names(folder)


def test_an_earlier_versions_mark_counts(folder):
    (folder / "checkpoint-10" / "whole").write_text("")
    assert newest(folder).name == "checkpoint-10"


def test_a_clock_that_is_set_back_deletes_no_newer_checkpoint(folder):
    written(folder / "checkpoint-11")
    os.utime(folder / "checkpoint-11", (0, 0))
    mark_whole(folder / "checkpoint-11")
    assert names(folder) == ["checkpoint-10", "checkpoint-11"]


class Weights:
    def __init__(self, count):
        self.count = count

    def parameters(self):
        return [self]

    def numel(self):
        return self.count


def test_a_training_needs_room_for_three_checkpoints_and_the_model(tmp_path):
    check_room(Weights(1000), tmp_path / "m")
    with pytest.raises(UserError, match=r"about 40,000,032 MB of free disk.*; make room") as error:
        check_room(Weights(10**12), tmp_path / "new" / "m")
    assert "hãy giải phóng dung lượng" in explain(error.value, "vi")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(27, "File too large"), "File too large"),
        (
            RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
            "PytorchStreamWriter",
        ),
    ],
)
def test_a_write_that_fails_is_one_sentence_in_both_languages(error, says, tmp_path):
    with (
        pytest.raises(UserError, match=f"could not be written .{says}") as told,
        kept_if_unwritable(tmp_path),
    ):
        raise error
    assert "chạy lại với cùng thiết lập" in explain(told.value, "vi")


def test_other_errors_stay_what_they_are(tmp_path):
    for error in (RuntimeError("shapes"), FileNotFoundError(2, "gone", "x")):
        with pytest.raises(type(error), match="shapes|gone"), kept_if_unwritable(tmp_path):
            raise error
