"""The house is a ladder: a module imports those above it, never one below, wherever the import is.

A second ladder stands inside each package: its modules import each other in no circle.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from providers import __all__ as OFFERED

ROOT = Path(__file__).parents[1]

LADDER = (
    "errors",
    "setting_types",
    "retry",
    "log_setup",
    "plain_text",
    "header",
    "address",
    "attachment",
    "message",
    "mime",
    "providers",
    "config",
    "database",
    "unsubscribe_links",
    "email_service",
    "extensions",
    "models",
    "suppression",
    "outbox",
    "webhooks",
    "privacy",
    "readiness",
    "dispatcher",
    "celery_app",
    "background",
    "subscribers",
    "emails",
    "blueprints",
    "doctor",
    "scaffold",
    "cli",
    "testing",
    "app",
    "tasks",
)
BESIDE = {"tests", "tools"}
TOOLS = [f"tools/{path.parent.name}" for path in sorted(ROOT.glob("tools/*/__init__.py"))]
WITHOUT_FLASK = set(LADDER[: LADDER.index("email_service")]) - {"unsubscribe_links"}


def files_of(module: str) -> list[Path]:
    """The files of a module or package, by its name at the top."""
    if (ROOT / f"{module}.py").exists():
        return [ROOT / f"{module}.py"]
    return sorted((ROOT / module).rglob("*.py"))


def imports(source: str) -> Iterator[str]:
    """The dotted names that `source` imports, inside functions as well."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_rooms(source: str) -> set[str]:
    """Whose code `source` imports: the first part of each name."""
    return {name.partition(".")[0] for name in imports(source)}


def forbidden(module: str, source: str) -> set[str]:
    """What `source` imports although `module`, which holds it, may not."""
    above = set(LADDER[: LADDER.index(module) + 1])
    if module == "emails":  # what we send knows nothing of how it is sent
        above = {"message", "emails"}
    return imported_rooms(source) & ({*LADDER, *BESIDE} - above)


def circle_in(package: str, sources: dict[str, str]) -> list[str]:
    """The modules of a circle in `package`; `sources` maps dotted names to their text."""

    def target(name: str) -> str:
        return name if name in sources else name.rpartition(".")[0]

    graph = {
        module: {target(name) for name in imports(source) if target(name) in sources} - {module}
        for module, source in sources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def test_every_module_has_its_place():
    modules = {path.stem for path in ROOT.glob("*.py") if not path.stem.endswith(".conf")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert modules | packages - BESIDE == set(LADDER)


@pytest.mark.parametrize("module", LADDER)
def test_a_module_imports_only_what_stands_above_it(module: str):
    for path in files_of(module):
        assert forbidden(module, path.read_text("utf-8")) == set(), path


@pytest.mark.parametrize(
    "package",
    ["providers", "outbox", "emails", "webhooks", "blueprints", "cli", *TOOLS],
)
def test_no_package_has_a_circle(package: str):
    sources = {}
    for path in files_of(package):
        parts = path.relative_to(ROOT).with_suffix("").parts
        sources[".".join(parts).removesuffix(".__init__")] = path.read_text("utf-8")
    assert len(sources) > 3
    assert circle_in(package, sources) == []


def test_nothing_reaches_past_what_the_room_of_the_providers_offers():
    outside = [path for module in LADDER if module != "providers" for path in files_of(module)]
    reached = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*outside, *files_of("demo"), *files_of("drill")]
        for name in imports(path.read_text("utf-8"))
        if name.startswith("providers.") and name.removeprefix("providers.") not in OFFERED
    }
    assert reached == set(), "import it from `providers`, or add it to `__all__` there"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("message", "import outbox"),
        ("message", "from outbox.claim import claim"),
        ("providers", "from models import OutboxEmail"),
        ("outbox", "import background"),
        ("outbox", "def f():\n    from background import wake"),
        ("background", "if TYPE_CHECKING:\n    from app import create_app"),
        ("blueprints", "try:\n    import tasks\nexcept ImportError: pass"),
        ("emails", "from config import load"),
        ("app", "import tasks as work"),
        ("app", "from tools.simulator import ledger"),
        ("app", "from tests.conftest import MakeApp"),
    ],
)
def test_a_forbidden_import_is_found_wherever_it_hides(module: str, source: str):
    assert forbidden(module, source) != set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("from outbox.b import f", "from outbox.a import g"),
        ("from outbox import b", "def f():\n    import outbox.a"),
        ("import outbox.b", "from outbox import name_of_the_package"),
    ],
)
def test_a_circle_is_found_wherever_it_hides(one: str, other: str):
    package = {"outbox": "from outbox.a import g", "outbox.a": one, "outbox.b": other}
    assert circle_in("outbox", package) != []


def test_the_tools_import_nothing_of_the_tests():
    for path in files_of("tools"):
        assert "tests" not in imported_rooms(path.read_text("utf-8")), path


def test_nothing_imports_the_worker_or_the_test_fixtures():
    for module in LADDER:
        for path in files_of(module):
            found = imported_rooms(path.read_text("utf-8")) & {"tasks", "testing"}
            assert not found, path


def test_what_has_nothing_to_do_with_the_web_does_without_flask():
    for module in WITHOUT_FLASK:
        for path in files_of(module):
            rooms = imported_rooms(path.read_text("utf-8"))
            assert not {room for room in rooms if room.startswith("flask")}, path


def test_only_the_configuration_reads_the_environment():
    readers = {
        module
        for module in LADDER
        for path in files_of(module)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
        and not (isinstance(node.value, ast.Name) and node.value.id == "request")
    }
    assert readers == {"config"}


WATCH = """
import json, os, sys, threading

touched = []

def watch(event, args):
    if event == "open":
        path, mode, flags = args
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or str(path).endswith(".env"):
            touched.append(str(path))
    elif event in ("sqlite3.connect", "socket.connect", "subprocess.Popen"):
        touched.append(event)

sys.addaudithook(watch)
before = dict(os.environ)
"""
REPORT = """
import logging
print(json.dumps({
    "touched": touched,
    "threads": threading.active_count(),
    "handlers": len(logging.getLogger().handlers),
    "environment": dict(os.environ) == before,
}))
"""


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own, whose settings cannot work."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "FLASK_DEBUG": "0",
        "EMAIL_PROVIDER": "nonsense",
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_importing_create_app_does_nothing_else():
    result = run_python(f"{WATCH}\nfrom app import create_app, email\n{REPORT}")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "touched": [],
        "threads": 1,
        "handlers": 0,
        "environment": True,
    }


def test_asking_for_the_app_builds_it_and_says_in_one_message_why_it_cannot():
    result = run_python("from app import app")
    assert result.returncode == 1
    assert "EMAIL_PROVIDER does not know 'nonsense'" in result.stderr
    assert "Traceback" not in result.stderr


def test_other_names_are_missing_as_in_any_module():
    import app

    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = app.nothing_of_the_kind
