"""The servers and databases of the tests, for the drills that are written as tests."""

from tests.conftest import migrated_sqlite, postgresql, postgresql_url, sqlite_url, valkey

__all__ = ["migrated_sqlite", "postgresql", "postgresql_url", "sqlite_url", "valkey"]
