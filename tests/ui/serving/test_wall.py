"""The wall in each mode: foreign hosts and pages are refused, the page itself and programs are not."""

import json
from itertools import product

import httpx
import pytest
from calls import called, joined, outcome

from vcs_demo.errors import UserError
from vcs_demo.ui.serving.hosts import Host, Hosts, same_origin
from vcs_demo.ui.serving.wall import LARGEST


def join(running, **headers):
    with running.signed_in() as client:
        body = {"data": ["x", 1], "fn_index": running.page.press, "session_hash": "s"}
        return client.post("gradio_api/queue/join", json=body, headers=headers)


def test_the_page_and_programs_are_answered(running):
    with running.signed_in() as client:
        page = client.get("")
        assert page.status_code == 200 and "gradio" in page.text
        assert called(client, running.page.press, ["x", 1]) == ["pressed x"]
        answer = client.post("gradio_api/call/echo", json={"data": ["y", 2]})
        event = answer.json()["event_id"]
        assert "yy" in client.get(f"gradio_api/call/echo/{event}").text
        named = client.post("gradio_api/call/v2/echo", json={"text": "z"})
        assert "z" in client.get(f"gradio_api/call/v2/echo/{named.json()['event_id']}").text
    own = {"Origin": running.origin, "Sec-Fetch-Site": "same-origin", "Referer": f"{running.origin}/"}
    assert join(running, **own).status_code == 200


FOREIGN = [
    {"Origin": "http://127.0.0.1:7"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://[::1"},
    {"Origin": "https://sub.team-vcs.hf.space"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {"Referer": "http://evil.example/page"},
]
PRIVATE = ("config", "gradio_api/info", "gradio_api/queue/data?session_hash=s", "download/x/y", "theme.css")


def test_another_sites_page_can_neither_change_nor_read(running):
    with running.signed_in() as client:
        for headers in FOREIGN:
            body = {"data": ["x", 1], "fn_index": running.page.press, "session_hash": "s"}
            answers = [client.post("gradio_api/queue/join", json=body, headers=headers)]
            answers += [client.get(path, headers=headers) for path in PRIVATE]
            for answer in answers:
                assert answer.status_code == 403 and "another site" in answer.json()["detail"], headers
            preflight = {"Access-Control-Request-Method": "POST"} | headers
            answers.append(client.request("OPTIONS", "gradio_api/queue/join", headers=preflight))
            assert answers[-1].status_code >= 400
            assert not [n for answer in answers for n in answer.headers if n.startswith("access-control")]
    assert running.page.calls == []


def test_a_link_of_another_site_opens_the_page_and_a_frame_does_not(running):
    visit = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Referer": "https://huggingface.co/",
    }
    with running.signed_in() as client:
        assert client.get("?view=x", headers=visit | {"Sec-Fetch-Dest": "document"}).status_code == 200
        framed = client.get("", headers=visit | {"Sec-Fetch-Dest": "iframe"})
        policy = client.get("").headers["content-security-policy"]
    if running.mode == "space":
        assert framed.status_code == 200
        assert policy == "frame-ancestors https://huggingface.co https://*.hf.space"
    else:
        assert framed.status_code == 403 and policy == "frame-ancestors 'none'"


HOSTS = [
    "evil.example",
    "evil.example:7860",
    "127.0.0.1.evil.example",
    "localhost.",
    "",
    "a b",
    "[::1",
    "x/y",
]
ASKED = (("GET", ""), ("GET", "config"), ("POST", "gradio_api/queue/join"), ("GET", "theme.css"))


def test_a_foreign_host_is_refused_with_the_remedy(running):
    with running.signed_in() as client:
        for (method, path), host in product(ASKED, HOSTS):
            answer = client.request(method, path, headers={"Host": host})
            assert answer.status_code in (400, 403), (path, answer.status_code)
            if host == "evil.example":
                remedy = "account" if running.mode == "single" else "VCS_HOSTS"
                assert "'evil.example'" in answer.text and remedy in answer.text


CLOSED = [
    ("POST", "gradio_api/upload"),
    ("POST", "upload"),
    ("GET", "gradio_api/upload_progress"),
    ("POST", "gradio_api/run/press"),
    ("POST", "gradio_api/run/echo"),
    ("POST", "gradio_api/api/echo"),
    ("POST", "gradio_api/component_server"),
    ("POST", "gradio_api/process_recording"),
    ("GET", "gradio_api/proxy=https://x.hf.space/"),
    ("GET", "gradio_api/file=/etc/hostname"),
    ("GET", "gradio_api/file=http://127.0.0.1:1/"),
    ("GET", "gradio_api/token"),
    ("GET", "gradio_api/dev/reload"),
    ("GET", "gradio_api/deep_link"),
    ("GET", "gradio_api/startup-events"),
    ("GET", "gradio_api/runs"),
    ("POST", "gradio_api/vibe-edit"),
    ("POST", "gradio_api/stream/x"),
    ("GET", "monitoring"),
    ("GET", "docs"),
    ("GET", "openapi.json"),
    ("PUT", ""),
    ("DELETE", "config"),
    ("POST", ""),
    ("GET", "gradio_api/queue/join"),
    ("GET", "assets/../config/x"),
    ("GET", "gradio_api//upload"),
]


def test_routes_that_are_not_used_are_closed(running):
    with running.signed_in() as client:
        for method, path in CLOSED:
            answer = client.request(method, path)
            assert answer.status_code in (404, 405), (path, answer.status_code)
            assert "'" in answer.json()["detail"]


def test_the_answers_bear_headers_that_cost_nothing(running):
    with running.signed_in() as client:
        for path in ("", "config", "nothing"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["referrer-policy"] == "same-origin"


def test_a_forwarded_host_does_not_change_the_pages_address(serve):
    running = serve("read-only")
    with running.client() as client:
        for name in ("X-Forwarded-Host", "X-Gradio-Server", "Forwarded"):
            assert client.get("config", headers={name: "evil.example"}).json()["root"] == running.origin
    running = serve("space")
    with running.client() as client:
        assert client.get("config", headers={"X-Forwarded-Host": "evil.example"}).status_code == 403
        assert client.get("config").json()["root"] == running.origin


def test_who_is_not_signed_in_gets_the_sign_in_and_nothing_else(serve):
    running = serve("accounts")
    with running.client() as client:
        away = client.get("?view=x&lang=vi")
        assert (away.status_code, away.headers["location"]) == (303, "./login?view=x&lang=vi")
        for path in (
            "config",
            "gradio_api/info",
            "gradio_api/queue/data?session_hash=s",
            "gradio_api/heartbeat/s",
        ):
            assert client.get(path).status_code == 401
        for path in ("queue/join", "call/echo", "cancel", "reset"):
            assert client.post(f"gradio_api/{path}", json={}).status_code == 401
        assert client.get("theme.css").status_code == client.get("login").status_code == 200


def test_without_accounts_there_is_no_sign_in_by_password(serve):
    for mode in ("single", "read-only", "space"):
        with serve(mode).client() as client:
            assert client.post("login").status_code in (404, 405)
            assert client.post("logout").status_code in (404, 405)


def test_a_body_is_bounded_whatever_its_headers_say(serve):
    running = serve("single")
    with running.client() as client:
        big = json.dumps({"data": ["x" * LARGEST, 1], "fn_index": running.page.press, "session_hash": "s"})
        for content in (big, (part.encode() for part in (big[:9], big[9:]))):
            answer = client.post("gradio_api/queue/join", content=content)
            assert answer.status_code == 413 and f"{LARGEST:,}" in answer.json()["detail"]


JSON = {"Content-Type": "application/json"}
UNFIT = [
    ("queue/join", {"data": ["secret"], "fn_index": "press"}, "1 argument"),
    ("queue/join", {"data": ["secret", 1, 2], "fn_index": "press"}, "3 argument"),
    ("queue/join", {"data": "secret", "fn_index": "press"}, "0 argument"),
    ("queue/join", {"fn_index": "press"}, "0 argument"),
    ("queue/join", {"data": ["x", "secret"], "fn_index": "press"}, "Argument 2"),
    ("queue/join", {"data": ["x", {"secret": 1}], "fn_index": "press"}, "Argument 2"),
    ("queue/join", {"data": ["secret", 1], "fn_index": 99}, "no such function"),
    ("queue/join", {"data": ["secret", 1], "fn_index": "0"}, "no such function"),
    ("queue/join", {"data": ["secret", 1], "fn_index": True}, "no such function"),
    ("queue/join", {"data": ["secret", 1], "fn_index": -1, "api_name": "echo"}, "no such function"),
    ("queue/join", {"data": ["secret", 1], "fn_index": "press", "session_hash": None}, "session_hash"),
    ("queue/join", {"data": ["secret", 1], "fn_index": "press", "session_hash": "x" * 65}, "session_hash"),
    ("call/echo", {"data": []}, "0 argument"),
    ("call/echo", {"data": ["secret"]}, "1 argument"),
    ("call/press", {"data": ["secret", 1]}, "no such function"),
    ("call/nothing", {"data": ["secret"]}, "no such function"),
    ("call/v2/echo", {"txt": "secret"}, "text, times"),
    ("call/v2/echo", {}, "text, times"),
    ("call/v2/nothing", {}, "no such function"),
    ("call/echo", ["secret"], "JSON object"),
    ("call/echo", b"{secret", "JSON object"),
    ("call/echo", b"[" * 100_000, "JSON object"),
]


def test_a_call_that_does_not_fit_is_one_sentence_and_its_input_is_not_logged(serve, capfd):
    running = serve("single")
    with running.client() as client:
        for path, body, says in UNFIT:
            if isinstance(body, dict):
                session = {"session_hash": "s"} if path == "queue/join" else {}
                body = session | body
                if body.get("fn_index") == "press":
                    body["fn_index"] = running.page.press
            content = body if isinstance(body, bytes) else json.dumps(body)
            answer = client.post(f"gradio_api/{path}", content=content, headers=JSON)
            assert answer.status_code == 422 and says in answer.json()["detail"], (path, body, answer.text)
    assert "secret" not in "".join(capfd.readouterr()) and running.page.calls == []


def test_a_stream_of_answers_that_are_gone_ends_and_the_log_stays_quiet(serve, capfd):
    running = serve("single")
    with running.client() as client:
        for path in ("queue/data?session_hash=gone", "call/echo/gone"):
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(f"gradio_api/{path}")
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("mode", "bound", "hosts", "own", "foreign"),
    [
        (
            "single",
            "127.0.0.1",
            "team.example",
            ["localhost:1", "[::1]:7860"],
            ["team.example", "192.168.1.7"],
        ),
        (
            "accounts",
            "0.0.0.0",
            "",
            ["192.168.1.7:7860", "localhost", "[fe80::1]"],
            ["team.example", "1.2.3"],
        ),
        ("accounts", "team.lan", "", ["TEAM.lan:7860"], ["team.example"]),
        (
            "read-only",
            "0.0.0.0",
            "team.example, b.example:80",
            ["team.example:1", "b.example"],
            ["c.example"],
        ),
    ],
)
def test_the_names_that_are_answered_to(monkeypatch, mode, bound, hosts, own, foreign):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv("VCS_HOSTS", hosts)
    known = Hosts.from_environment(mode, bound)
    assert all(known.own(Host.of(name)) for name in own)
    assert not any(known.own(Host.of(name)) for name in foreign)


def test_what_is_no_host_name_in_the_setting_is_said(monkeypatch, sentence):
    monkeypatch.setenv("VCS_HOSTS", "team.example, https://team.example/")
    with pytest.raises(UserError) as refused:
        Hosts.from_environment("accounts", "0.0.0.0")
    assert sentence(refused.value, "VCS_HOSTS", "'https://team.example/'")


@pytest.mark.parametrize(
    ("url", "host", "scheme", "same"),
    [
        ("http://a.example", "a.example", "http", True),
        ("https://a.example", "a.example", "http", True),  # a proxy that ends TLS and does not say so
        ("https://a.example", "a.example:443", "https", True),
        ("http://a.example", "a.example", "https", False),
        ("http://a.example:81", "a.example", "http", False),
        ("http://a.example", "a.example:81", "http", False),
        ("http://[::1]:81", "[::1]:81", "http", True),
        ("ftp://a.example", "a.example", "http", False),
        ("http://user@a.example", "a.example", "http", False),
    ],
)
def test_an_origin_is_own_by_name_and_port(url, host, scheme, same):
    assert same_origin(url, Host.of(host), scheme) is same


def test_flooding_is_refused_and_others_get_their_turn(serve, monkeypatch):
    """One address has 40 calls unanswered at most; another one's call does not wait for all of them."""
    import threading

    running, hold = serve("read-only"), threading.Event()
    order = []

    def slow(text: str, times: int = 1) -> str:
        hold.wait(20)
        order.append(text)
        return text

    fn = next(fn for fn in running.page.blocks.fns.values() if fn.api_name == "echo")
    monkeypatch.setattr(fn, "fn", slow)
    with running.client() as client:
        first = {"X-Forwarded-For": "10.0.0.1"}
        answers = [
            client.post("gradio_api/call/echo", json={"data": [f"a{n}", 1]}, headers=first) for n in range(45)
        ]
        assert [answer.status_code for answer in answers] == [200] * 40 + [429] * 5
        assert answers[-1].headers["retry-after"] and "40 calls" in answers[-1].json()["detail"]
        other = {"X-Forwarded-For": "10.0.0.2"}
        event = client.post("gradio_api/call/echo", json={"data": ["b", 1]}, headers=other).json()["event_id"]
        hold.set()
        assert "b" in client.get(f"gradio_api/call/echo/{event}").text
        assert order.index("b") <= 2


def test_answers_that_nobody_fetches_do_not_pile_up(serve, monkeypatch):
    monkeypatch.setattr("vcs_demo.ui.serving.joins.UNREAD", 10)
    monkeypatch.setattr("vcs_demo.ui.serving.joins.LOOKED_EVERY", -1.0)
    running = serve("single")
    with running.client() as client:
        for number in range(30):
            _, session = joined(client, running.page.press, [f"x{number}", 1])
        assert outcome(client, session)["success"]
        joined(client, running.page.press, ["y", 1])
    assert len(running.page.blocks._queue.pending_messages_per_session) <= 12
