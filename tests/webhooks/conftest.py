"""The apps on both databases are those of the blueprints' tests."""

from tests.blueprints.conftest import any_app, postgresql_app, sqlite_app

__all__ = ["any_app", "postgresql_app", "sqlite_app"]
