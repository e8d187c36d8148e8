"""Who may import whom: each room those before it, and of another room only what it offers.

The rooms are those of the template. Modules and packages that stand in no rung are somebody's own:
they may import what they like, and be imported.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tools.processes import ROOT

RUNGS = (
    ("errors", "setting_types", "retry", "log_setup"),
    ("message",),
    ("providers",),
    ("config",),
    ("database", "models"),
    ("email_service", "extensions"),
    ("outbox",),
    ("webhooks", "background"),
    ("emails", "subscribers"),
    ("testing", "blueprints", "cli"),
    ("app",),
    ("tasks",),
)
"""A room may import the rooms of the rungs before its own, and those to the left in its own."""
BESIDE = ("tools", "tests")  # may import all of them, and none of them imports these

ALSO = {
    "background": {"outbox"},  # it wakes what the outbox runs
    "emails": {"blueprints"},  # the gallery's measurements hold for every email
    "webhooks": {"outbox"},  # events about emails that are being sent
    "template": {"providers", "cli", "emails"},
}
"""Whose files the tests of a room import besides its own."""

LADDER = tuple(room for rung in RUNGS for room in rung)
ROOMS = (*LADDER, *BESIDE)
PACKAGES = [room for room in LADDER if (ROOT / room / "__init__.py").exists()]
WITHOUT_FLASK = LADDER[: LADDER.index("database")]


def files_of(room: str) -> list[Path]:
    """The files of a room, which is a module or a package at the top."""
    if (ROOT / f"{room}.py").exists():
        return [ROOT / f"{room}.py"]
    return sorted((ROOT / room).rglob("*.py"))


def module_of(path: Path) -> str:
    """The dotted name of a file of ours."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(source: str) -> Iterator[str]:
    """The dotted names that `source` imports, inside functions as well."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}: write its whole name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_rooms(source: str) -> set[str]:
    """Whose code `source` imports: the first part of each name."""
    return {name.partition(".")[0] for name in imports(source)}


def forbidden(room: str, source: str) -> set[str]:
    """The rooms that `source` imports although `room`, which holds it, may not."""
    before = set(LADDER[: LADDER.index(room) + 1])
    if room == "emails":
        before = {"message", "emails"}
    return imported_rooms(source) & {*ROOMS} - before


def reaches_into(module: str, source: str) -> set[str]:
    """What `source`, the text of `module`, imports of other rooms past their `__init__`.

    `import room` and `from room import name` are fine, unless that name is a file that the room
    does not offer in `__all__`. The tests of a room, which stand in `tests/<room>/` and
    `tests/test_<room>.py`, may import its files.
    """
    own = {module.partition(".")[0]}
    if module.startswith("tests."):
        folder = module.split(".")[1].removeprefix("test_")
        own = {folder, *ALSO.get(folder, ())}
    found = set()
    for name in imports(source):
        room, _, rest = name.partition(".")
        if room in PACKAGES and room not in own and is_file(room, rest):
            found.add(name)
    return found


def is_file(room: str, rest: str) -> bool:
    """Whether `rest` begins with a file or folder of `room`, and is not one that it offers."""
    first = rest.partition(".")[0]
    files = (ROOT / room / first, ROOT / room / f"{first}.py")
    return bool(first) and rest not in offered(room) and any(file.exists() for file in files)


def offered(room: str) -> set[str]:
    """The names in `__all__` of a package."""
    tree = ast.parse((ROOT / room / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return set(names)
    return set()


def circle_in(sources: dict[str, str]) -> list[str]:
    """The modules of a circle among `sources`, which maps dotted names to their text."""

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


@pytest.mark.parametrize("room", LADDER)
def test_a_room_imports_only_what_stands_before_it(room: str):
    assert files_of(room), f"there is no room {room}: correct RUNGS, at the top of this file"
    found = {
        module_of(path): rooms
        for path in files_of(room)
        if (rooms := forbidden(room, path.read_text("utf-8")))
    }
    assert found == {}, f"{room} may import only what stands before it in RUNGS"


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_outside_a_room_reaches_past_its_init(room: str):
    found = {
        module_of(path): names
        for path in files_of(room)
        if (names := reaches_into(module_of(path), path.read_text("utf-8")))
    }
    assert found == {}, "import these from the room itself: what it offers is in its __init__.py"


@pytest.mark.parametrize("package", [*PACKAGES, "tools"])
def test_no_package_has_a_circle(package: str):
    sources = {module_of(path): path.read_text("utf-8") for path in files_of(package)}
    assert circle_in(sources) == []


@pytest.mark.parametrize("room", LADDER)
def test_nothing_imports_the_worker_or_the_test_fixtures(room: str):
    for path in files_of(room):
        assert imported_rooms(path.read_text("utf-8")) & {"tasks", "testing"} == set(), path


def test_the_simulator_knows_nothing_of_ours():
    paths = sorted((ROOT / "tools" / "simulator").rglob("*.py"))
    assert paths
    for path in paths:
        names = {name for name in imports(path.read_text("utf-8")) if name.split(".")[0] in ROOMS}
        ours = {name for name in names if not name.startswith("tools.simulator")}
        # Its tests start it as a process, as those of the app do.
        assert "tests" in path.parts or ours == set(), path


@pytest.mark.parametrize("room", WITHOUT_FLASK)
def test_what_has_nothing_to_do_with_the_web_does_without_flask(room: str):
    for path in files_of(room):
        names = imported_rooms(path.read_text("utf-8"))
        assert {name for name in names if name.startswith("flask")} == set(), path


def test_only_the_configuration_reads_the_environment():
    readers = {
        room
        for room in LADDER
        for path in files_of(room)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
        and not (isinstance(node.value, ast.Name) and node.value.id == "request")
    }
    assert readers == {"config"}


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("message", "import outbox"),
        ("message", "from outbox import claim"),
        ("providers", "from models import User"),
        ("outbox", "import background"),
        ("outbox", "def f():\n    from background import wake"),
        ("background", "if TYPE_CHECKING:\n    from app import create_app"),
        ("blueprints", "try:\n    import tasks\nexcept ImportError: pass"),
        ("background", "import tasks"),
        ("database", "import models"),
        ("emails", "from config import load"),
        ("app", "import tasks as work"),
        ("app", "from tools.simulator import ledger"),
        ("app", "from tests.servers import Valkey"),
    ],
)
def test_a_forbidden_import_is_found_wherever_it_hides(room: str, source: str):
    assert forbidden(room, source) != set()


def test_modules_and_packages_of_ones_own_are_nobodys_business():
    assert (
        forbidden("blueprints", "import projects\nfrom billing_plans.plans import price") == set()
    )
    assert reaches_into("blueprints.api", "from billing_plans.plans import price") == set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("blueprints.api", "from outbox.claim import claim"),
        ("blueprints.api", "from outbox import claim"),
        ("background", "def f():\n    import outbox.claim"),
        ("tests.blueprints.test_api", "import outbox.claim"),
        ("tools.drill.judge", "from outbox.claim import claim"),
    ],
)
def test_a_reach_past_an_init_is_found_wherever_it_hides(module: str, source: str):
    assert reaches_into(module, source) != set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("outbox.sweep", "from outbox.claim import claim"),
        ("tests.outbox.test_claims", "from outbox.claim import claim"),
        ("tests.test_outbox", "from outbox.claim import claim"),
        ("blueprints.api", "import outbox"),
        ("blueprints.api", "from outbox import enqueue_email"),
    ],
)
def test_a_room_and_its_tests_import_its_files_and_others_its_names(module: str, source: str):
    assert reaches_into(module, source) == set()


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
    assert circle_in(package) != []
