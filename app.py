"""The app: `python app.py [--host H] [--port P] [--source mini|hub|DIR] [--data-dir D]`."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from vcs_demo import terminal

if TYPE_CHECKING:
    import gradio as gr

    from vcs_demo.ui.access import Access
    from vcs_demo.ui.serving.downloads import Downloads

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
ON_SPACE = bool(os.environ.get("SPACE_ID"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the app until it is stopped; return its exit code, after one clear line if it cannot start."""
    return terminal.run(command, arguments)


@click.command(
    "python app.py",
    context_settings=terminal.SETTINGS,
    epilog="Example: python app.py --source mini --port 7860",
)
@click.option(
    "--host",
    default="0.0.0.0" if ON_SPACE else "127.0.0.1",
    help="address to listen on; 127.0.0.1: this machine",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=7860, help="port to listen on")
@click.option("--source", envvar="VCS_SOURCE", show_envvar=True, default="mini", help="mini, hub or a folder")
@click.option(
    "--data-dir",
    metavar="DIR",
    help="where labels, runs and models are stored  [default: $VCS_DATA_DIR or ./data]",
)
def command(host: str, port: int, source: str, data_dir: str | None) -> None:
    """Compare, label and retrain Vietnamese retrieval models."""
    from vcs_demo.benchmark.sources import check_source

    if data_dir:
        os.environ["VCS_DATA_DIR"] = data_dir
    check_source(source)  # before what takes seconds to import
    serve(host, port, source)


def serve(host: str, port: int, source: str) -> None:
    """Build the page and serve it; what is slow is made ready once it is up, and what is new pushed at the end.

    Raises:
        UserError: the page cannot be built, or the port cannot be used.
    """
    from vcs_demo.paths import data_dir
    from vcs_demo.ui.access import Access
    from vcs_demo.ui.page import build_app
    from vcs_demo.ui.serving.downloads import Downloads

    os.environ["GRADIO_TEMP_DIR"] = str(
        data_dir() / "downloads" / "gradio"
    )  # not the machine's shared folder
    access = Access.from_environment(host)
    downloads = Downloads(access)
    page, warm = build_app(source, access, downloads)

    def terminated(*_: object) -> None:  # as a Space stops it
        warm.stop()
        os._exit(128 + signal.SIGTERM)  # at once: torch aborts where Python ends beside its threads

    former = signal.signal(signal.SIGTERM, terminated)
    warm.start()
    try:
        listen(page, access, host, port, downloads)
    finally:
        signal.signal(signal.SIGTERM, former)
        warm.stop()


def listen(page: "gr.Blocks", access: "Access", host: str, port: int, downloads: "Downloads") -> None:
    """Serve a page until the process is stopped; raises UserError where the port cannot be used."""
    from vcs_demo.ui.serving.server import Served

    with Served(page, access, host, port, downloads) as served:
        sys.stdout.write(f"VCS Demo is at {served.url}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            served.wait()


if __name__ == "__main__":
    sys.exit(main())
