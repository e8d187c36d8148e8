"""The house is a ladder: a module imports those above it, never one below, wherever the import is.

A second ladder stands inside each package: its modules import each other in no circle.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LADDER = (
    "errors",
    "plain_text",
    "header",
    "address",
    "attachment",
    "message",
    "mime",
    "subscriber_changes",
    "events",
    "signatures",
    "retry",
    "log_setup",
    "security",
    "providers",
    "setting_types",
    "config",
    "unsubscribe_links",
    "email_service",
    "extensions",
    "models",
    "suppression",
    "outbox",
    "webhook_inbox",
    "tracking",
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
BESIDE = {"tests", "simulator", "demo", "drill", "benchmarks"}
WITHOUT_FLASK = set(LADDER[: LADDER.index("email_service")]) - {"security", "unsubscribe_links"}


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
    ["providers", "outbox", "emails", "blueprints", "doctor", "cli", "simulator", "demo"],
)
def test_no_package_has_a_circle(package: str):
    sources = {}
    for path in files_of(package):
        parts = path.relative_to(ROOT).with_suffix("").parts
        sources[".".join(parts).removesuffix(".__init__")] = path.read_text("utf-8")
    assert len(sources) > 3
    assert circle_in(package, sources) == []


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
        ("app", "from simulator import ledger"),
        ("app", "from tests.servers import Valkey"),
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


def test_the_simulator_knows_nothing_of_ours():
    for path in files_of("simulator"):
        assert not imported_rooms(path.read_text("utf-8")) & {*LADDER, *BESIDE} - {"simulator"}, (
            path
        )


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
