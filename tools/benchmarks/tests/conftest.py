"""Fixtures for the tests of the benchmarks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.benchmarks.stubs import Stub

# Fixtures are passed on to the tests by importing them here.
from tools.fixtures import (  # noqa: F401
    database_url,
    migrated_sqlite,
    postgresql,
    postgresql_url,
    sqlite_url,
)


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    """A stub of a provider that nobody has called yet."""
    with Stub(tmp_path) as started:
        yield started
