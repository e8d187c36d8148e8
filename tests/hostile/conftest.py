"""One site on each database for all tests here, and others for tests that hurt theirs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.fixtures import start_site
from tools.servers import PostgreSQL
from tools.simulator_process import Simulator
from tools.site import Site

__all__ = ["start_site"]


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


def _serve(url: str, folder: Path, simulator: Simulator) -> Iterator[Site]:
    # At DEBUG, where a secret would come out first.
    variables = {"RESEND_BASE_URL": simulator.url, "LOG_LEVEL": "DEBUG"}
    with Site(url, folder / "web.log", **variables) as site:
        yield site
        site.check_log()
