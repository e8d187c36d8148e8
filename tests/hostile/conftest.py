"""One site on each database for all tests here, and others for tests that hurt theirs."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hostile.site import Site
from tests.servers import PostgreSQL
from tests.simulator.process import Simulator

StartSite = Callable[..., Site]


@pytest.fixture(scope="session")
def sqlite_site(
    migrated_sqlite: Path, simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The app in production mode on SQLite. Tests leave it working."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copy(migrated_sqlite, folder / "app.db")
    yield from _serve(f"sqlite:///{folder / 'app.db'}", folder, simulator_process)


@pytest.fixture(scope="session")
def postgresql_site(
    postgresql: PostgreSQL, simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The same on PostgreSQL."""
    with postgresql.database() as url:
        yield from _serve(url, tmp_path_factory.mktemp("hostile"), simulator_process)


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each of the two in turn."""
    site: Site = request.getfixturevalue(f"{request.param}_site")
    return site


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


def _serve(url: str, folder: Path, simulator: Simulator) -> Iterator[Site]:
    with Site(url, folder / "web.log", RESEND_BASE_URL=simulator.url) as site:
        yield site
        site.check_log()
