"""`/healthz` alive, `/readyz` able to serve with each part's state, `/metrics` for Prometheus."""

from collections.abc import Iterable

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import outbox
from database import db, utc_now
from extensions import email, limiter
from outbox import readiness

blueprint = Blueprint("health", __name__)
limiter.exempt(blueprint)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 as long as the process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """200 if emails can be accepted and are being delivered, else 503 saying what to do.

    A paused provider alone is no reason for 503: emails are accepted and wait for it.
    """
    parts = {"database": _in_words(readiness.database_problem())}
    providers: dict[str, str] = {}
    if parts["database"] == "ok":
        parts["outbox"] = _in_words(readiness.queue_problem())
        statuses = outbox.breaker.call_statuses(db.session(), email.chain, utc_now())
        providers = {name: str(status) for name, status in statuses.items()}
    ready = all(state == "ok" for state in parts.values())
    body = {"status": "ok" if ready else "unavailable", "parts": parts, "providers": providers}
    return jsonify(body), 200 if ready else 503


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Counts from the database, so that every process reports the same."""
    registry = CollectorRegistry()
    registry.register(_OutboxCollector())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _in_words(problem: readiness.Problem | None) -> str:
    return f"{problem.problem}; {problem.remedy}" if problem else "ok"


class _OutboxCollector(Collector):
    def collect(self) -> Iterable[GaugeMetricFamily]:
        emails = GaugeMetricFamily("outbox_emails", "Emails by state", labels=["state"])
        for state, count in outbox.reading.count_by_state(db.session()).items():
            emails.add_metric([state], count)
        yield emails
        age = outbox.readiness.oldest_due_age()
        yield GaugeMetricFamily("outbox_oldest_due_seconds", "Wait of the oldest due email", age)
