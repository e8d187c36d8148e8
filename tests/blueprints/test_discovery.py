"""A new blueprint is a file in blueprints/, and one for developers a file in blueprints/dev/."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blueprints.conftest import PRODUCTION
from tests.conftest import MakeApp

OWN = """
from flask import Blueprint
blueprint = Blueprint("{name}", __name__)

@blueprint.get("/{name}")
def index():
    return "{name}"
"""
ON_ANOTHERS = """
from blueprints.own_pages import blueprint

@blueprint.get("/own_pages/more")
def more():
    return "more"
"""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three files more, as if they stood in blueprints/ and blueprints/dev/."""
    for package in ("blueprints", "blueprints.dev"):
        module = importlib.import_module(package)
        folder = tmp_path / package
        folder.mkdir()
        monkeypatch.setattr(module, "__path__", [*module.__path__, str(folder)])
    (tmp_path / "blueprints" / "own_pages.py").write_text(OWN.format(name="own_pages"))
    (tmp_path / "blueprints" / "added_pages.py").write_text(ON_ANOTHERS)
    (tmp_path / "blueprints.dev" / "own_tools.py").write_text(OWN.format(name="own_tools"))
    yield
    for name in ("own_pages", "added_pages", "dev.own_tools"):
        sys.modules.pop(f"blueprints.{name}", None)


@pytest.mark.parametrize(("settings", "tools"), [({}, 200), (PRODUCTION, 404)])
def test_a_new_file_is_served_and_those_in_dev_in_debug_only(
    make_app: MakeApp, settings: dict[str, str], tools: int
):
    client = make_app(**settings).test_client()
    paths = ["/own_pages", "/own_pages/more", "/own_tools"]
    assert [client.get(path).status_code for path in paths] == [200, 200, tools]
