"""The servers and databases of `tools/fixtures.py`, for the drill's own tests and its faults."""

from tools.fixtures import (
    database_url,
    migrated_sqlite,
    postgresql,
    postgresql_url,
    simulator,
    simulator_process,
    sqlite_url,
    start_site,
    valkey,
)

__all__ = [
    "database_url",
    "migrated_sqlite",
    "postgresql",
    "postgresql_url",
    "simulator",
    "simulator_process",
    "sqlite_url",
    "start_site",
    "valkey",
]
