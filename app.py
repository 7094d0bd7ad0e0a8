"""The app: `python app.py [--host H] [--port P] [--source mini|hub|DIR] [--data-dir D]`."""

import argparse
import os
import signal
import sys
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


def main(arguments: list[str] | None = None) -> int:
    """Serve the app until it is stopped; return 1 after one clear line if it cannot start."""
    parser = argparse.ArgumentParser(
        description="Compare, label and retrain Vietnamese retrieval models.",
        epilog="Example: python app.py --source mini --port 7860",
    )
    on_space = bool(os.environ.get("SPACE_ID"))
    parser.add_argument("--host", default="0.0.0.0" if on_space else "127.0.0.1")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument(
        "--source", default=os.environ.get("VCS_SOURCE") or "mini", help="mini, hub or a folder"
    )
    parser.add_argument(
        "--data-dir", help="where labels, runs and models are kept (default: $VCS_DATA_DIR or ./data)"
    )
    options = parser.parse_args(arguments)
    if options.data_dir:
        os.environ["VCS_DATA_DIR"] = options.data_dir

    from vcs_demo.errors import carried_out

    return carried_out(lambda: serve(options), "stopped")


def serve(options: argparse.Namespace) -> int:
    """Build the page and serve it; what is slow is made ready once it is up, and what is new pushed at the end."""
    from vcs_demo.benchmark.sources import check_source
    from vcs_demo.ui.access import Access
    from vcs_demo.ui.page import build_app

    check_source(options.source)
    access = Access.from_environment(options.host)
    page, warm = build_app(options.source, access)

    def terminated(*_: object) -> None:  # as a Space stops it
        warm.stop()
        os._exit(128 + signal.SIGTERM)  # at once: torch aborts where Python ends beside its threads

    former = signal.signal(signal.SIGTERM, terminated)
    warm.start()
    try:
        return _serve(page, access, options)
    finally:
        signal.signal(signal.SIGTERM, former)
        warm.stop()


def _serve(page: Any, access: Any, options: argparse.Namespace) -> int:
    from annotations.people.accounts import is_password
    from vcs_demo.ui.label.judge import KEYS
    from vcs_demo.ui.page import CSS, THEME
    from vcs_demo.words import say

    try:
        page.launch(
            server_name=options.host,
            server_port=options.port,
            auth=is_password if access.mode == "accounts" else None,
            auth_message=" / ".join(say(lang, "app.signs_in") for lang in ("en", "vi")),
            theme=THEME,
            css=CSS,
            head=KEYS,
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
        sys.stderr.write(
            f"error: port {options.port} on {options.host} cannot be used ({error}); give another --port or --host\n"
        )
        return 1
    sys.stdout.write(f"VCS Demo is at {page.local_url}\n")
    sys.stdout.flush()
    page.block_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
