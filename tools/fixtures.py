"""The servers and databases that tests here and in `tests/` share, as fixtures of pytest.

A conftest.py imports those that its folder uses.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tools.servers import PostgreSQL, Valkey, migrate
from tools.simulator_process import Simulator
from tools.site import Site

StartSite = Callable[..., Site]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A real PostgreSQL server, started once."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A real Valkey server, started once."""
    with Valkey() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all migrations, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite database."""
    path = tmp_path / "app.db"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """A fresh migrated PostgreSQL database."""
    with postgresql.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each database in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The provider simulator, started once."""
    with Simulator(tmp_path_factory.mktemp("simulator") / "log.jsonl") as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The simulator with an empty log."""
    simulator_process.clear()
    return simulator_process


@pytest.fixture
def start_site(
    simulator_process: Simulator, sqlite_url: str, tmp_path: Path
) -> Iterator[StartSite]:
    """`start_site(TRUSTED_PROXIES="1")`: a site with settings of its own, on SQLite if not told."""
    with ExitStack() as stack:

        def start(database_url: str = sqlite_url, **variables: str) -> Site:
            own = {"RESEND_BASE_URL": simulator_process.url, "WEB_CONCURRENCY": "1"}
            settings = own | variables
            return stack.enter_context(Site(database_url, tmp_path / "web.log", **settings))

        yield start
