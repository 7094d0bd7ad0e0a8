"""The app as a process of its own on a free port, and a headless Chromium to look at it."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from running import running_app

TABS = {
    "en": ["Search", "Rerank", "Leaderboard", "Label", "Adjudicate", "Audit", "Train"],
    "vi": ["Tìm kiếm", "Xếp hạng lại", "Bảng xếp hạng", "Gán nhãn", "Phân xử", "Kiểm tra", "Huấn luyện"],
}


@dataclass(frozen=True)
class App:
    url: str
    data: Path


def pytest_collection_modifyitems(items):
    """Mark everything here, so that `-m "not browser"` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """Start `python app.py` on the miniature with a new data directory; end it at the end."""
    data = tmp_path_factory.mktemp("app") / "data"
    with running_app(data) as url:
        yield App(url, data)


@pytest.fixture(scope="session")
def chromium_path():
    """Return the path of a Chromium that runs; fail, not skip, where there is none."""
    from chromium import find

    path = find()
    if path is None:
        pytest.fail(
            "There is no Chromium that starts; install one (apt install chromium, or "
            "python -m playwright install chromium) or leave these tests out with -m 'not browser'.",
            pytrace=False,
        )
    return path


@pytest.fixture(scope="module")
def browser(chromium_path):
    """Launch Chromium. By module: while it is open its event loop runs in this thread."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # what a page shows is tested here, not how soon on a busy machine
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, app):
    """Open the page; at the end of the test nothing may have gone wrong on it."""
    contexts, wrong = [], []

    def visit(lang="en", width=1280):
        context = browser.new_context(viewport={"width": width, "height": 900}, locale="en-US")
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(f"{app.url}?lang={lang}")
        page.wait_for_selector("#vcs-search-go")
        page.wait_for_function(f"document.title && document.documentElement.lang == '{lang}'")
        if lang != "en":
            page.get_by_role("tab", name=TABS[lang][0], exact=True).first.wait_for(state="attached")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def open_tab():
    """Return a way to open a tab, also where it is behind the `…` menu."""

    def open_tab(page, name):
        tab = page.get_by_role("tab", name=name, exact=True)
        if tab.count() and tab.first.is_visible():
            tab.first.click()
        else:
            page.locator(".overflow-menu > button").first.evaluate("e => e.click()")
            page.locator(".overflow-dropdown button", has_text=name).first.evaluate("e => e.click()")

    return open_tab
