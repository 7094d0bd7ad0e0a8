"""Pages of other origins in a real browser: they can neither read nor change anything, in each mode."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Error, expect, sync_playwright
from served_pages import MODES, PASSWORD, serving

# Everything that a page may try without asking: each gives what was read, or null.
ATTACK = """async (app) => {
  const read = {};
  const call = JSON.stringify({data: ["attack", 1]});
  const attempt = async (name, path, how) => {
    try {
      const answer = await fetch(app + path, {credentials: "include", ...how});
      read[name] = answer.type === "opaque" ? null : await answer.text();
    } catch { read[name] = null; }
  };
  for (const path of ["", "config", "gradio_api/info", "theme.css", "login"]) await attempt(path, path, {});
  await attempt("simple", "gradio_api/call/echo", {method: "POST", body: call});
  await attempt("no-cors", "gradio_api/call/echo", {method: "POST", body: call, mode: "no-cors"});
  const json = {"Content-Type": "application/json"};
  await attempt("json", "gradio_api/call/echo", {method: "POST", body: call, headers: json});
  const join = JSON.stringify({data: ["attack", 1], fn_index: PRESS, session_hash: "attack"});
  await attempt("join", "gradio_api/queue/join", {method: "POST", body: join, headers: json});
  await attempt("out", "logout", {method: "POST", mode: "no-cors"});
  navigator.sendBeacon(app + "gradio_api/call/echo", new Blob([call], {type: "text/plain"}));
  const event = (name, element, attribute, url) => new Promise((done) => {
    element.onload = () => { read[name] = "loaded"; done(); };
    element.onerror = () => { read[name] = null; done(); };
    element[attribute] = url;
    if (element.tagName) document.body.append(element);
    setTimeout(done, 3000);
  });
  await event("script", document.createElement("script"), "src", app + "config");
  await event("image", document.createElement("img"), "src", app + "favicon.ico");
  read.stream = await new Promise((done) => {
    const stream = new EventSource(app + "gradio_api/queue/data?session_hash=attack", {withCredentials: true});
    stream.onmessage = (message) => { stream.close(); done(message.data); };
    stream.onerror = () => { stream.close(); done(null); };
  });
  const inside = document.createElement("iframe");
  inside.name = "inside";
  document.body.append(inside);
  const form = document.createElement("form");
  Object.assign(form, {method: "post", enctype: "text/plain", target: "inside", action: app + "gradio_api/call/echo"});
  const field = document.createElement("input");
  field.name = '{"data": ["attack", 1], "x": "';
  field.value = '"}';
  form.append(field);
  document.body.append(form);
  form.submit();
  await new Promise((done) => { inside.onload = done; setTimeout(done, 2000); });
  const shown = document.createElement("iframe");
  shown.name = "shown";
  shown.src = app;
  document.body.append(shown);
  await new Promise((done) => { shown.onload = done; setTimeout(done, 3000); });
  return read;
}"""


@contextmanager
def other_site():
    """Serve an empty page on a port of its own; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>another site</title><body>")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(chromium_path):
    """Launch a Chromium to which a foreign name is this machine, as after DNS rebinding."""
    arguments = ["--no-sandbox", "--host-resolver-rules=MAP evil.example 127.0.0.1"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(params=MODES)
def running(request, monkeypatch):
    with serving(monkeypatch) as serve:
        yield serve(request.param)


@pytest.fixture
def context(browser, running):
    """Open a browser in which the person of the mode is signed in."""
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(20_000)
    if running.cookie:
        name, value = running.cookie
        address = {"domain": "127.0.0.1", "path": "/", "secure": True, "sameSite": "None", "httpOnly": True}
        context.add_cookies([{"name": name, "value": value} | address])
    page = context.new_page()
    page.goto(running.url)
    if running.mode == "accounts":
        page.get_by_label("Name").fill("an")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
    page.locator("#text textarea, #text input").first.fill("own")
    page.locator("#press").click()
    expect(page.locator("textarea, input").last).to_have_value("pressed own")
    running.page.calls.clear()
    yield context
    context.close()


def test_another_origin_can_neither_read_nor_change_anything(context, running):
    with other_site() as port:
        for site in (f"http://127.0.0.1:{port}/", f"http://evil.example:{port}/"):
            page = context.new_page()
            page.goto(site)
            read = page.evaluate(ATTACK.replace("PRESS", str(running.page.press)), running.url)
            assert {name: text for name, text in read.items() if text is not None} == {}, site
            for name in ("inside", "shown"):
                frame = page.frame(name)
                assert frame is None or "gradio" not in frame.content().lower()
            page.close()
    assert running.page.calls == []
    page = context.new_page()  # nobody was signed out, and the page itself still works
    page.goto(running.url)
    expect(page.locator("#press")).to_be_visible()


def test_a_foreign_name_for_this_machine_gets_one_sentence(context, running):
    page = context.new_page()
    answer = page.goto(f"http://evil.example:{running.port}/")
    assert answer.status == 403 and "'evil.example'" in page.locator("body").inner_text()
    read = page.evaluate("async () => (await fetch('/config')).status")
    assert read == 403
    called = """async () => (await fetch('/gradio_api/call/echo', {method: 'POST',
        headers: {'Content-Type': 'application/json'}, body: '{"data": ["attack", 1]}'})).status"""
    assert page.evaluate(called) == 403 and running.page.calls == []
    with pytest.raises(Error):
        page.goto(f"ws://evil.example:{running.port}/")
