"""Alive (`/healthz`), able to serve (`/readyz`), emails flow (`/deliveryz`), and `/metrics`.

Words and numbers are for this machine and for the bearer of METRICS_TOKEN.
"""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

import outbox
from blueprints.security import bearer_token_matches, is_local
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
    parts = {"database": _in_words(problem)}
    return _answer("unavailable" if problem else "ok", problem, {"parts": parts})


@blueprint.get("/deliveryz")
def deliveryz() -> ResponseReturnValue:
    """200 if emails flow, else 503: it is for whoever is to be woken then.

    A paused provider or paused marketing is no reason for 503: what waits for it is not late.
    """
    if problem := readiness.database_problem():
        words = {"problem": f"the database {_in_words(problem)}"}
        return _answer("unavailable", problem, words)
    if not _may_read():  # strangers, as often as they like: nothing is counted for them
        late = readiness.queue_problem()
        return _answer("late" if late else "ok", late, {})
    flow = readiness.flow()
    about_flow = {
        "problem": _in_words(flow.problem) if flow.problem else None,
        "due": flow.due,
        "other_hosts": flow.other_hosts,
        "oldest_due_seconds": round(flow.oldest_due_seconds, 1),
        "providers": flow.providers,
        "marketing": flow.marketing,
    }
    return _answer("late" if flow.problem else "ok", flow.problem, about_flow)


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Counts from the database, so that every process reports the same."""
    if not _may_read():
        raise Unauthorized(
            "send Authorization: Bearer METRICS_TOKEN", www_authenticate=WWWAuthenticate("bearer")
        )
    registry = CollectorRegistry()
    registry.register(_OutboxCollector())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read() -> bool:
    return is_local() or bearer_token_matches("METRICS_TOKEN")


def _answer(
    status: str, problem: readiness.Problem | None, words: dict[str, Any]
) -> ResponseReturnValue:
    """Anybody gets the status; what stands behind it is for who may read it."""
    body = {"status": status} | (words if _may_read() else {})
    return jsonify(body), 503 if problem else 200


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
