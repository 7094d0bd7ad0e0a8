"""Downloads: private files, links for one person, and nothing that a planted link points to."""

import re
import stat

import pytest

from annotations.people.accounts import add_account
from vcs_demo.paths import data_dir
from vcs_demo.ui.access import Access, Person
from vcs_demo.ui.serving.downloads import MOST, Downloads

PASSWORD = "a long password"


def made(downloads, access, name="an", text="secret"):
    path = downloads.folder() / "labels.jsonl"
    path.write_text(text)
    html = downloads.links([path], Person(name), access.adjudicator, "en")
    return path, re.search(r'href="\./(download/[^"]+)"', html)[1]


def test_files_and_folders_are_their_owners_alone():
    downloads = Downloads(Access("single"))
    path, _ = made(downloads, Access("single"))
    assert path.is_relative_to(data_dir())
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, data_dir() / "downloads")]
    assert modes == [0o600, 0o700, 0o700]


def test_the_start_empties_the_folder_and_a_planted_link_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (data_dir() / "downloads").symlink_to(outside)
    downloads = Downloads(Access("single"))
    path, _ = made(downloads, Access("single"))
    assert list(outside.iterdir()) == [outside / "precious"] and path.exists()
    (data_dir() / "downloads" / "planted").symlink_to(outside)
    Downloads(Access("single")).clear()
    assert not path.exists() and (outside / "precious").exists()
    assert list((data_dir() / "downloads").iterdir()) == []


def test_the_folders_are_bounded():
    downloads = Downloads(Access("single"))
    paths = [made(downloads, Access("single"))[0] for _ in range(MOST + 3)]
    assert sum(path.exists() for path in paths) <= MOST and paths[-1].exists()


def test_a_link_works_for_whom_it_was_made(running):
    _, address = made(
        running.downloads, running.downloads.access, "local" if running.mode == "single" else "an"
    )
    with running.signed_in() as client:
        answer = client.get(address)
        if running.mode == "read-only":  # nobody may export there
            assert answer.status_code == 404
            return
        assert (answer.status_code, answer.text) == (200, "secret")
        assert "attachment" in answer.headers["content-disposition"]
        assert answer.headers["cache-control"] == "no-store"
        for other in ("../labels.jsonl", "labels.db", "%2e%2e/x", ""):
            assert client.get(f"{address.rpartition('/')[0]}/{other}").status_code in (404, 405)
        running.downloads.clear()
        assert "make it anew" in client.get(address).json()["detail"]
    with running.client() as client:
        assert client.get("download/x/y").status_code in (401, 404)


@pytest.mark.parametrize("role", ["annotator", "adjudicator", "admin"])
def test_another_persons_link_and_one_whose_role_was_taken_do_not_work(serve, role):
    running = serve("accounts")
    _, address = made(running.downloads, running.downloads.access)
    add_account("binh", role, PASSWORD)
    with running.client() as client:
        assert client.get(address).status_code == 401
        client.post("login", data={"username": "binh", "password": PASSWORD})
        assert client.get(address).status_code == 404
    add_account("an", "annotator", PASSWORD)
    with running.signed_in() as client:
        assert client.get(address).status_code == 404


def test_a_link_inside_the_folder_is_not_sent(serve, tmp_path):
    running = serve("single")
    path, address = made(running.downloads, running.downloads.access, "local")
    (tmp_path / "other").write_text("other")
    path.unlink()
    path.symlink_to(tmp_path / "other")
    with running.client() as client:
        assert client.get(address).status_code == 404
