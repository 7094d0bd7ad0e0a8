"""Make the README's picture: two rankers side by side on a question of VCS-mini, in headless Chromium.

python tests/browser/screenshot.py [FILE.webp]
"""

import io
import sys
import tempfile
from pathlib import Path

from chromium import find
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from running import ROOT, running_app

PICTURE = ROOT / "vcs_demo" / "search.webp"
QUERY = "Dấu hiệu nào gợi ý trẻ bị viêm tai giữa cấp?"  # BM25 finds its passage second, vcs-20m first
SIZE = {"width": 1240, "height": 1180}


def take(path: Path) -> None:
    """Search on the page of a new app; write what a visitor then sees as WebP."""
    chromium = find()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder) / "data") as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light", locale="en-US")
        page.goto(f"{url}?lang=en")
        page.locator("#vcs-search-query textarea, #vcs-search-query input").first.fill(QUERY)
        page.locator("#vcs-search-go").click()
        columns = page.locator("#vcs-search-results .vcs-column")
        expect(columns.nth(1).locator("li")).to_have_count(10, timeout=120_000)
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)  # for the transitions
        png = page.screenshot()
        browser.close()
    Image.open(io.BytesIO(png)).convert("RGB").save(path, "WEBP", quality=72, method=6)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
