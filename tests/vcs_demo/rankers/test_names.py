"""A ranker is its fingerprint; its name is what was asked for, made distinct where that is needed."""

import json
import os
import shutil
import unicodedata

import pytest

from vcs_demo.__main__ import main
from vcs_demo.errors import UserError
from vcs_demo.library import Library, ranker_choices
from vcs_demo.measuring.evaluate import evaluate_kept
from vcs_demo.measuring.leaderboard import measured, rows
from vcs_demo.paths import models_dir
from vcs_demo.rankers.catalog import fusions, load_ranker, load_rankers, retrained
from vcs_demo.ui.compare.leaderboard import shown
from vcs_demo.ui.compare.query_comparison import choices, compared


@pytest.fixture
def model(tiny_model_dir):
    """Return a function that makes a model in a folder; `changed` makes it another one."""

    def make(folder, changed=""):
        shutil.copytree(tiny_model_dir, folder)
        if changed:
            path = folder / "config_sentence_transformers.json"
            path.write_text(
                json.dumps(json.loads(path.read_text()) | {"prompts": {"query": changed, "document": ""}})
            )
        return str(folder)

    return make


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "first" / "tmnam20" / "ViMedAQA" / "all"
    folder.mkdir(parents=True)
    rows = [{"question": f"Thuốc {n} trị gì?", "context": f"Thuốc {n} trị ho."} for n in range(8)]
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return tmp_path / "first"


def test_folders_of_one_name_are_two_rankers_in_every_output(model, source, tmp_path, capsys, monkeypatch):
    paths = [model(tmp_path / "a" / "final"), model(tmp_path / "b" / "final", "gan ")]
    words = ["--source", str(source), "--task", "vimedretrieve"]
    words += [word for path in paths for word in ("--ranker", path)]
    out = ["--json", str(tmp_path / "out.json"), "--trec", str(tmp_path / "trec")]
    monkeypatch.setattr("sys.argv", ["/srv/x/__main__.py", "evaluate", *words, *out])
    assert main(["evaluate", *words, *out]) == 0
    text = capsys.readouterr().out
    results = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert [run["ranker"] for run in results] == ["a/final", "b/final"]
    assert len(list((tmp_path / "trec").glob("*.run"))) == 2
    assert str(tmp_path) not in text + json.dumps(results)
    assert main(["compare", *words]) == 0
    assert "a/final" in capsys.readouterr().out
    assert {row.ranker for row in rows("vimedretrieve") if row.run} == {"a/final", "b/final"}


def test_the_shortest_tails_that_differ_are_taken_also_in_fusions(model, tmp_path):
    paths = [
        model(tmp_path / name) for name in ("a/x/final", "b/x/final", "c/other", "c/Other", "d/e_f", "d/e f")
    ]
    names = [ranker.name for ranker in load_rankers([*paths[:3], f"bm25+{paths[0]}"])]
    assert names == ["a/x/final", "b/x/final", "other", "bm25+a/x/final"]
    case = [ranker.name for ranker in load_rankers(paths[2:4])]
    assert len({name.casefold() for name in case}) == 2 and not any("/" in name for name in case)
    signs = [ranker.name for ranker in load_rankers(paths[4:])]
    assert len({name.replace(" ", "_") for name in signs}) == 2


def test_one_model_however_it_is_written_is_one_ranker(model, tmp_path, monkeypatch, capsys):
    path = model(tmp_path / "final")
    (tmp_path / "link").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    ways = [
        path,
        f"{path}/",
        "./final",
        "final",
        str(tmp_path / "x" / ".." / "final"),
        str(tmp_path / "link"),
    ]
    (tmp_path / "x").mkdir()
    assert [ranker.name for ranker in load_rankers(ways)] == ["final"]
    words = [word for way in ways[:2] for word in ("--ranker", way)]
    assert main(["compare", *words]) == 1
    assert "two or more different rankers, not final" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["bm25", "vcs-20m", "mine"])
def test_a_folder_called_like_a_known_ranker_has_its_parents_name(model, tmp_path, name):
    model(models_dir() / "mine")
    assert load_ranker(model(tmp_path / "a" / name, "gan ")).name == f"a/{name}"
    assert load_ranker(str(models_dir() / "mine")).name == "mine"


def test_models_of_one_name_from_different_days_are_two_rows(model, source, tmp_path):
    task = Library(str(source)).task("vimedretrieve")
    runs = []
    for folder, change in (("a", ""), ("b", "gan ")):
        runs.append(evaluate_kept(task, load_ranker(model(tmp_path / folder / "final", change))))
    names = [f"final ({run.ranker_fingerprint[:6]})" for run in runs]
    assert set(measured("vimedretrieve", "first")) == set(names)
    library = Library(str(source))
    assert set(choices(library, "vimedretrieve")) == set(names)
    html, _ = compared(library, "vimedretrieve", names, "accuracy@1", "en")
    assert all(name in html for name in names)


def test_a_renamed_source_is_shown_under_its_name_of_today(source, tmp_path):
    for name in ("bm25", "vcs-static"):
        evaluate_kept(Library(str(source)).task("vimedretrieve"), load_ranker(name))
    source.rename(tmp_path / "nguồn mới")
    library = Library(str(tmp_path / "nguồn mới"))
    assert set(choices(library, "vimedretrieve")) == {"bm25", "vcs-static"}
    assert evaluate_kept(library.task("vimedretrieve"), load_ranker("bm25")).source == "nguồn mới"
    html, _, _ = shown("vimedretrieve", False, "en", False, library)
    assert "nguồn mới" in html and "first<" not in html
    compared(library, "vimedretrieve", ["bm25", "vcs-static"], "accuracy@1", "en")


def test_what_the_page_offers_can_be_loaded(model):
    for name in ("mine+v2", "mine", "v2", "bm25+mine", "x", "x+y", "y"):
        model(models_dir() / name)
    offered = ranker_choices()
    assert len(offered) == len(set(offered))
    for name in offered:
        assert load_ranker(name, allow_paths=False).name == name
    assert load_ranker("bm25+mine+v2").parts[1].name == "v2"  # the longest first one that is known
    assert load_ranker("vcs-static+mine+v2").parts[1].name == "mine+v2"
    assert fusions(["a", "b"]) == ["a+b"]
    with pytest.raises(UserError, match="There is no ranker"):
        load_ranker("bm25+vcs-20m+vcs-static")


def test_a_model_is_found_however_its_letters_were_typed(model, tmp_path):
    for form in ("NFC", "NFD"):
        folder = tmp_path / unicodedata.normalize(form, "mô hình") / "tốt"
        model(folder)
        for typed in ("NFC", "NFD"):
            assert load_ranker(unicodedata.normalize(typed, str(folder))).name == "tốt"
        shutil.rmtree(folder.parent)
    model(models_dir() / unicodedata.normalize("NFD", "của-tôi"))
    assert retrained() == ["của-tôi"]
    assert load_ranker(unicodedata.normalize("NFD", "của-tôi"), allow_paths=False).name == "của-tôi"


def test_a_model_written_anew_under_an_old_time_is_loaded_anew(model):
    model(models_dir() / "mine")
    first = load_ranker("mine")
    assert load_ranker("mine") is first and first.fingerprint
    path = models_dir() / "mine" / "model.safetensors"
    times, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert load_ranker("mine").fingerprint != first.fingerprint
    with pytest.raises(UserError, match="written anew while it was in use"):
        _ = first.model
