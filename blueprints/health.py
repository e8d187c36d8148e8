"""`/healthz` alive, `/readyz` able to serve with each part's state, `/metrics` for Prometheus."""

from collections.abc import Iterable
from functools import cache

from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app, jsonify
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

import outbox
from extensions import db, email, limiter
from models import utc_now

blueprint = Blueprint("health", __name__)
limiter.exempt(blueprint)

LATE = 120.0  # seconds the oldest due email may wait before this instance calls itself unready


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 as long as the process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """200 if emails can be accepted and are being delivered, else 503 saying what to do.

    A paused provider alone is no reason for 503: emails are accepted and wait for it.
    """
    parts = {"database": _database()}
    providers: dict[str, str] = {}
    if parts["database"] == "ok":
        parts["outbox"] = _outbox()
        providers = outbox.provider_states(db.session(), email.chain, utc_now())
    ready = all(state == "ok" for state in parts.values())
    body = {"status": "ok" if ready else "unavailable", "parts": parts, "providers": providers}
    return jsonify(body), 200 if ready else 503


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Counts from the database, so that every process reports the same."""
    registry = CollectorRegistry()
    registry.register(_OutboxCollector())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _database() -> str:
    try:
        with db.engine.connect() as connection:
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DatabaseError as error:
        if "alembic_version" in str(error.orig):
            return "has no tables; run: flask db upgrade"
        return "cannot be reached; check DATABASE_URL"
    return "ok" if revision == _newest_revision() else "not up to date; run: flask db upgrade"


def _outbox() -> str:
    age = outbox.oldest_due_age(callable_only=True)
    if age <= LATE:
        return "ok"
    return f"the oldest due email has waited {age:.0f} s; check the workers"


@cache
def _newest_revision() -> str | None:
    return ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()


class _OutboxCollector(Collector):
    def collect(self) -> Iterable[GaugeMetricFamily]:
        emails = GaugeMetricFamily("outbox_emails", "Emails by state", labels=["state"])
        for state, count in outbox.count_by_state(db.session()).items():
            emails.add_metric([state], count)
        yield emails
        age = outbox.oldest_due_age()
        yield GaugeMetricFamily("outbox_oldest_due_seconds", "Wait of the oldest due email", age)
