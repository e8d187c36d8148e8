"""The migrations make exactly the tables of models.py, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask_migrate import downgrade, upgrade

from extensions import Base, db
from tests.conftest import MakeApp


def test_migrations_and_models_agree(make_app: MakeApp, database_url: str):
    app = make_app(DATABASE_URL=database_url)
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
        assert differences == [], 'write the migration: flask db migrate -m "what changed"'


def test_migrations_go_down_and_up_again(make_app: MakeApp, database_url: str):
    app = make_app(DATABASE_URL=database_url)
    with app.app_context():
        downgrade(revision="base")
        upgrade()
        assert app.test_client().get("/readyz").status_code == 200
