"""The app: `python app.py [--host H] [--port P] [--source mini|hub|DIR] [--data-dir D]`."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from vcs_demo import terminal
from vcs_demo.errors import UserError

if TYPE_CHECKING:
    import gradio as gr

    from vcs_demo.ui.access import Access

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
    from vcs_demo.ui.access import Access
    from vcs_demo.ui.page import build_app

    access = Access.from_environment(host)
    page, warm = build_app(source, access)

    def terminated(*_: object) -> None:  # as a Space stops it
        warm.stop()
        os._exit(128 + signal.SIGTERM)  # at once: torch aborts where Python ends beside its threads

    former = signal.signal(signal.SIGTERM, terminated)
    warm.start()
    try:
        listen(page, access, host, port)
    finally:
        signal.signal(signal.SIGTERM, former)
        warm.stop()


def listen(page: "gr.Blocks", access: "Access", host: str, port: int) -> None:
    """Serve a page until the process is stopped; raises UserError where the port cannot be used."""
    from annotations.people.accounts import is_password
    from vcs_demo.ui.page import CSS, HEAD, THEME
    from vcs_demo.words import say

    try:
        page.launch(
            server_name=host,
            server_port=port,
            auth=is_password if access.mode == "accounts" else None,
            auth_message=" / ".join(say(lang, "app.signs_in") for lang in ("en", "vi")),
            theme=THEME,
            css=CSS,
            head=HEAD,
            footer_links=["api"],
            run_history=False,
            ssr_mode=False,
            enable_monitoring=False,
            prevent_thread_lock=True,
            share=False,  # a public tunnel would make everyone the single user
            max_file_size=1024,  # nothing is uploaded here
            quiet=True,
        )
    except (OSError, OverflowError) as error:
        raise UserError(
            f"port {port} on {host} cannot be used ({error}); give another --port or --host"
        ) from error
    sys.stdout.write(f"VCS Demo is at {page.local_url}\n")
    sys.stdout.flush()
    page.block_thread()


if __name__ == "__main__":
    sys.exit(main())
