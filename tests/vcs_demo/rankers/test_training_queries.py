"""The list of trained-on queries is a guard: it is read as it was meant, or it refuses."""

import hashlib
import os
import shutil
import unicodedata

import pytest

from vcs_demo.errors import UserError
from vcs_demo.rankers.dense import DenseRanker
from vcs_demo.text import content_hash, content_hashes

HASHES = [content_hash(text) for text in ("gan ở đâu?", "ho thì uống gì?", "sốt?")]


@pytest.fixture
def model(tiny_model_dir, tmp_path):
    shutil.copytree(tiny_model_dir, tmp_path / "model")
    return DenseRanker("mine", tmp_path / "model")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n  \n", " ", "\t"])
@pytest.mark.parametrize(
    "write", [str, str.upper, lambda digits: digits[:16], "{}  câu hỏi.txt", "{} *a b.txt"]
)
def test_three_listed_queries_are_three_left_out(model, write, end, encoding):
    lines = [write.format(digits) if isinstance(write, str) else write(digits) for digits in HASHES]
    if isinstance(write, str) and end in " \t":
        end = "\n"  # with the names of files, a line each
    text = "# đã huấn luyện" + "\n" + end.join(lines) + end
    (model.path / "training_queries.txt").write_bytes(text.encode(encoding))
    assert model.training_hashes == {digits[:16] for digits in HASHES} and model.training_known


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HASHES[0]}\nnot a hash\n", "Line 2 of .*model/training_queries.txt' has 'not'"),
        (f"{HASHES[0][:12]}\n", "no hash of 16 to 64 hex digits"),
        (f"{HASHES[0]} {HASHES[1]}x", "no hash"),
        (f"SHA256 (a.txt) = {HASHES[0]}", "no hash"),
        ("gan ở đâu?", "no hash"),
        (f"{HASHES[0][:32]}\n", "as many digits as MD5"),
        (f"{HASHES[0]}\n{HASHES[1][:40]}\n", "Line 2 .* SHA-1"),
        ("", "lists no query"),
        ("# nothing\n", "lists no query"),
        (b"\x1f\x8b\x08", "compressed"),
        (HASHES[0].encode("utf-16-le"), "UTF-16 without its mark"),
        (b"\xff" + HASHES[0].encode(), "not UTF-8"),
        ("folder", "cannot be read"),
        ("dangling", "cannot be read"),
        ("pipe", "cannot be read: it is no file"),
    ],
)
def test_a_list_that_cannot_be_read_refuses(model, content, message):
    path = model.path / "training_queries.txt"
    if content == "folder":
        path.mkdir()
    elif content == "dangling":
        path.symlink_to("nowhere")
    elif content == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for ask in (lambda: model.training_hashes, lambda: model.training_known):
        with pytest.raises(UserError, match=message):
            ask()


def test_a_list_that_is_not_complete_is_left_out_and_not_known(model):
    path = model.path / "training_queries.txt"
    path.write_text(f"# incomplete: what the base saw is not known\n{HASHES[0]}\n", "utf-8")
    assert model.training_hashes == {HASHES[0][:16]} and not model.training_known


def test_hashes_of_decomposed_texts_are_recognised():
    text = "Gan ở  đâu, tuỵ ở đâu?"
    decomposed = " ".join(unicodedata.normalize("NFD", text.lower()).split())
    assert hashlib.sha256(decomposed.encode()).hexdigest() in content_hashes(text)


def test_a_list_changed_under_an_old_time_is_read_anew(model):
    path = model.path / "training_queries.txt"
    path.write_text(HASHES[0], "utf-8")
    times = path.stat()
    assert model.training_hashes == {HASHES[0][:16]}
    path.write_text(HASHES[1], "utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert model.training_hashes == {HASHES[1][:16]}


def test_a_weight_of_bm25_that_cannot_be_read_refuses(model):
    (model.path / "fusion.json").write_text('{"bm25_weight": 0.75}', "utf-8-sig")
    assert model.bm25_weight == 0.75
    (model.path / "fusion.json").unlink()
    (model.path / "fusion.json").mkdir()
    with pytest.raises(UserError, match="has no bm25_weight"):
        _ = DenseRanker("mine", model.path).bm25_weight
