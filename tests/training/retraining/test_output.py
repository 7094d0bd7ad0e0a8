"""The folder of an unfinished run: one process at a time, resumed only by the same settings."""

import pytest

from training.retraining.output import UnfinishedRun
from vcs_demo.errors import UserError


def test_one_output_is_trained_by_one_process_at_a_time(tmp_path):
    with UnfinishedRun(tmp_path / "m"):
        with pytest.raises(UserError, match="m is being trained already"), UnfinishedRun(tmp_path / "m"):
            pass
    with UnfinishedRun(tmp_path / "m"):
        pass


def test_a_run_is_continued_only_as_it_was_begun(tmp_path):
    with UnfinishedRun(tmp_path / "m") as run:
        run.prepare({"seed": 1}, restart=False)
        (run.folder / "checkpoints").mkdir()
        run.prepare({"seed": 1}, restart=False)
        with pytest.raises(UserError, match="An unfinished run of m has other settings"):
            run.prepare({"seed": 2}, restart=False)
        assert (run.folder / "checkpoints").exists()
        run.prepare({"seed": 2}, restart=True)
        assert not (run.folder / "checkpoints").exists()


def test_an_output_that_appears_meanwhile_is_not_lost(tmp_path):
    with UnfinishedRun(tmp_path / "m") as run:
        run.model.mkdir()
        (tmp_path / "m").mkdir()
        with pytest.raises(UserError, match="m has appeared meanwhile; the new model is in"):
            run.finish(overwrite=False)
        assert run.model.exists()


def test_an_overwrite_that_was_killed_between_its_two_moves_gives_the_old_model_back(tmp_path):
    (tmp_path / "m.old.partial").mkdir()
    with UnfinishedRun(tmp_path / "m") as run:
        run.prepare({}, restart=False)
    assert (tmp_path / "m").is_dir() and not (tmp_path / "m.old.partial").exists()
