"""A model's folder: links out of it and code of its own are refused, a hub's cache is not."""

import json
import shutil

import pytest

from vcs_demo.errors import UserError
from vcs_demo.rankers.contents import check_contents
from vcs_demo.rankers.dense import DenseRanker


@pytest.fixture
def model(tiny_model_dir, tmp_path):
    return shutil.copytree(tiny_model_dir, tmp_path / "models" / "tiny")


def test_a_link_out_of_the_folder_is_refused(model, tmp_path):
    weights = next(model.rglob("model.safetensors"))
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="link out of its folder .*model.safetensors"):
        _ = DenseRanker("tiny", model).model
    weights.unlink()
    (tmp_path / "elsewhere").rename(model / "inside")
    weights.symlink_to(model / "inside")
    check_contents(model)


def test_a_link_to_a_folder_outside_is_refused(model, tmp_path):
    (model / "more").symlink_to(tmp_path)
    with pytest.raises(UserError, match="'more'"):
        check_contents(model)


def test_a_model_that_asks_for_code_is_refused_and_nothing_is_run(model, tmp_path):
    config = next(path for path in model.rglob("config.json"))
    facts = json.loads(config.read_text()) | {"auto_map": {"AutoModel": "evil.Model"}}
    config.write_text(json.dumps(facts))
    (config.parent / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UserError, match="auto_map"):
        _ = DenseRanker("tiny", model).model
    assert not (tmp_path / "ran").exists()


def test_a_model_in_the_hubs_cache_consists_of_links(model, tmp_path):
    repository = tmp_path / "hub" / "models--a--b"
    shutil.move(model, repository / "snapshots" / "main")
    config = repository / "snapshots" / "main" / "modules.json"
    (repository / "blobs").mkdir()
    config.rename(repository / "blobs" / "x")
    config.symlink_to(repository / "blobs" / "x")
    check_contents(repository / "snapshots" / "main")
    config.unlink()
    config.symlink_to("/etc/hostname")
    with pytest.raises(UserError, match="link out"):
        check_contents(repository / "snapshots" / "main")
