"""Alive (`/healthz`), able to serve (`/readyz`), emails flow (`/deliveryz`), and `/metrics`."""

from collections.abc import Iterable

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import outbox
from database import transaction
from extensions import limiter
from outbox import readiness

blueprint = Blueprint("health", __name__)
limiter.exempt(blueprint)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 as long as the process answers, whatever the database does."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """200 if this process can store what it is asked to, else 503 saying what to do.

    It is for whoever sends requests here: emails that wait are no reason to go elsewhere.
    """
    problem = readiness.database_problem()
    status = "unavailable" if problem else "ok"
    return jsonify(status=status, parts={"database": _in_words(problem)}), _status(problem)


@blueprint.get("/deliveryz")
def deliveryz() -> ResponseReturnValue:
    """200 if emails flow, else 503: it is for whoever is to be woken then.

    A paused provider or paused marketing is no reason for 503: what waits for it is not late.
    """
    if problem := readiness.database_problem():
        return jsonify(status="unavailable", problem=f"the database {_in_words(problem)}"), 503
    flow = readiness.flow()
    body = {
        "status": "late" if flow.problem else "ok",
        "problem": _in_words(flow.problem) if flow.problem else None,
        "due": flow.due,
        "other_hosts": flow.other_hosts,
        "oldest_due_seconds": round(flow.oldest_due_seconds, 1),
        "providers": flow.providers,
        "marketing": flow.marketing,
    }
    return jsonify(body), _status(flow.problem)


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Counts from the database, so that every process reports the same."""
    registry = CollectorRegistry()
    registry.register(_OutboxCollector())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _status(problem: readiness.Problem | None) -> int:
    return 503 if problem else 200


def _in_words(problem: readiness.Problem | None) -> str:
    return f"{problem.problem}; {problem.remedy}" if problem else "ok"


class _OutboxCollector(Collector):
    def collect(self) -> Iterable[GaugeMetricFamily]:
        emails = GaugeMetricFamily("outbox_emails", "Emails by state", labels=["state"])
        with transaction() as session:
            counts = outbox.reading.count_by_state(session)
            others = outbox.hosts.waiting(session)
        for state, count in counts.items():
            emails.add_metric([state], count)
        yield emails
        name, what = "outbox_other_hosts", "Queued rows that only the host that made them sends"
        waiting = GaugeMetricFamily(name, what, labels=["host"])
        for host, count in others.items():
            waiting.add_metric([host], count)
        yield waiting
        age = outbox.readiness.oldest_due_age()
        yield GaugeMetricFamily("outbox_oldest_due_seconds", "Wait of the oldest due email", age)
