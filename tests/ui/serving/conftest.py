"""The small page, served in a mode or in each."""

import pytest
from served_pages import MODES, serving


@pytest.fixture
def serve(monkeypatch):
    with serving(monkeypatch) as serve:
        yield serve


@pytest.fixture(params=MODES)
def running(request, serve):
    """Serve the small page in each mode."""
    return serve(request.param)
