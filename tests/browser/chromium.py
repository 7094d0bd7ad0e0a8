"""Find a Chromium that runs: the machine's own, else the one that Playwright downloaded."""

import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """Return the path of a Chromium that starts, or None."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        for path in (*map(shutil.which, NAMES), own if Path(own).exists() else None):
            if path:
                try:
                    playwright.chromium.launch(executable_path=path, args=["--no-sandbox"]).close()
                    return path
                except Error:  # Ubuntu's package is a stub where snaps cannot run
                    continue
    return None


if __name__ == "__main__":
    sys.exit(0 if find() else 1)
