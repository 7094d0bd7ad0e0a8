"""Signing in and out over HTTP: what a browser and a program get, cookies, throttling, and what ends a session."""

import threading
import time

import httpx
import pytest
from calls import called, joined, outcome
from gradio_client import Client
from gradio_client.exceptions import AuthenticationError

from annotations.people.accounts import add_account, remove_account

PASSWORD = "a long password"
HTML = {"Accept": "text/html"}


@pytest.fixture
def team(serve):
    return serve("accounts")


def enter(client, name="an", password=PASSWORD, **headers):
    return client.post("login", data={"username": name, "password": password}, headers=headers)


def test_the_page_is_a_plain_form_in_both_languages(team):
    with team.client() as client:
        page = client.get("login?view=x&lang=vi", headers=HTML).text
        assert 'lang="vi"' in page and "Mật khẩu" in page and "<script" not in page
        assert 'autocomplete="username"' in page and 'autocomplete="current-password"' in page
        assert 'action="?view=x&amp;lang=vi"' in page and 'name="viewport"' in page
        hostile = client.get('login?lang=en&x="><script>alert(1)</script>', headers=HTML).text
        assert "<script" not in hostile
        wrong = enter(client, '"><img src=x onerror=alert(1)>', "not the password", **HTML)
        assert wrong.status_code == 401 and "<img" not in wrong.text and 'role="alert"' in wrong.text


def test_a_browser_goes_on_to_the_state_it_asked_for_and_nowhere_else(team):
    with team.client() as client:
        answer = client.post("login?view=x", data={"username": "an", "password": PASSWORD}, headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, "./?view=x")
        assert client.get("?view=x").status_code == 200
        cookies = answer.headers.get_list("set-cookie")
        assert len(cookies) == 2
        for cookie in cookies:
            assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie
    with team.client() as client:  # a proxy of this machine that ends TLS
        answer = enter(client, **{"X-Forwarded-Proto": "https"})
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-vcs-") and "Secure" in cookie and "Path=/" in cookie


def test_gradios_client_signs_in_and_is_told_of_a_wrong_password(team):
    client = Client(team.url, auth=("an", PASSWORD), verbose=False)
    assert client.predict("x", 3, api_name="/echo") == "xxx"
    with pytest.raises(AuthenticationError):
        Client(team.url, auth=("an", "not the password"), verbose=False)


@pytest.mark.parametrize("everywhere", [False, True])
def test_signing_out_ends_this_session_or_all(team, everywhere):
    here, there = team.signed_in(), team.signed_in()
    with here, there:
        answer = here.post("logout", data={"everywhere": "1"} if everywhere else {}, headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, "./login")
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert here.get("config").status_code == 401
        assert there.get("config").status_code == (401 if everywhere else 200)
        assert here.get("logout").status_code == 405  # a link or a picture signs nobody out


@pytest.mark.parametrize(
    "change",
    [
        lambda: add_account("an", "admin", "a new password"),
        lambda: remove_account("an"),
        lambda: (remove_account("an"), add_account("an", "admin", PASSWORD)),
    ],
)
def test_a_new_password_and_a_removed_account_end_the_session_at_once(team, change):
    with team.signed_in() as client:
        assert client.get("config").status_code == 200
        change()
        answer = client.get("config")
        assert answer.status_code == 401 and "sign in" in answer.json()["detail"]
        assert client.post("gradio_api/queue/join", json={}).status_code == 401
        assert (
            client.post("logout", headers=HTML).headers["location"] == "./login"
        )  # the button still leads on


def test_another_sites_form_signs_nobody_in_or_out(team):
    with team.signed_in() as client:
        for headers in ({"Origin": "http://127.0.0.1:7"}, {"Sec-Fetch-Site": "cross-site"}):
            assert enter(client, **headers).status_code == 403
            assert client.post("logout", headers=headers).status_code == 403
        assert client.get("config").status_code == 200


def test_guessing_is_slowed_down_and_the_person_is_not_locked_out(team):
    with team.signed_in() as person, team.client() as guesser:
        statuses = [enter(guesser, password=f"guess {n}") for n in range(8)]
        assert [answer.status_code for answer in statuses] == [401] * 5 + [429] * 3
        last = statuses[-1]
        assert 1 <= int(last.headers["retry-after"]) <= 61 and "seconds" in last.json()["detail"]
        assert enter(guesser).status_code == 429  # also with the right one, so nothing is learnt
        assert enter(person).status_code == 200  # this browser is known
        elsewhere = enter(guesser, **{"X-Forwarded-For": "203.0.113.9"})
        assert elsewhere.status_code == 200  # another address waits for nobody


def test_guessers_do_not_slow_the_page_down(team):
    """Passwords are hashed beside the event loop, two of one address at a time; the rest are turned away."""
    stop = threading.Event()

    def guess(number):
        with team.client() as client:
            while not stop.is_set():
                enter(client, f"name {number}", "wrong password", **{"X-Forwarded-For": f"10.0.0.{number}"})

    guessers = [threading.Thread(target=guess, args=(number,)) for number in range(10)]
    with team.signed_in() as person:
        for guesser in guessers:
            guesser.start()
        began = time.monotonic()
        for number in range(5):
            assert called(person, team.page.press, [f"x{number}", 1]) == [f"pressed x{number}"]
        took = time.monotonic() - began
        stop.set()
        for guesser in guessers:
            guesser.join()
    assert took < 15  # seconds for five, on whatever machine this is


def test_a_body_that_is_no_form_is_refused(team):
    with team.client() as client:
        for content, kind in (
            (b"{}", "application/json"),
            (b"", "text/plain"),
            (b"x" * 100, "multipart/form-data"),
        ):
            answer = client.post("login", content=content, headers={"Content-Type": kind})
            assert answer.status_code in (400, 401), answer.status_code
        long = httpx.post(f"{team.url}login", data={"username": "x" * 100_000, "password": "y" * 100_000})
        assert long.status_code == 401


def test_a_page_is_its_persons_also_when_another_signs_in_beside_it(team):
    add_account("Bình", "annotator", PASSWORD)
    with team.signed_in() as client, team.client() as other:
        assert joined(client, team.page.press, ["x", 1], "page")[0].status_code == 200
        outcome(client, "page")
        enter(other, "Bình")
        for lang, says in (("en", "Bình has signed in"), ("vi", "Bình đã đăng nhập")):
            body = {"data": ["y", 1], "fn_index": team.page.press, "session_hash": "page"}
            headers = {"Accept-Language": lang}
            refused = other.post("gradio_api/queue/join", json=body, headers=headers)
            assert refused.status_code == 403 and says in refused.json()["detail"]
        assert called(other, team.page.press, ["z", 1]) == ["pressed z"]  # on a page of his own
        assert joined(client, team.page.press, ["x", 1], "page")[0].status_code == 200
        outcome(client, "page")
    assert team.page.calls == ["x", "z", "x"]
