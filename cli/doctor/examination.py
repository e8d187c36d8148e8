"""Looks for each broken setting, and gives each cause one line with its remedy."""

from collections.abc import Mapping
from typing import Any

from cli.doctor.accounts import check_accounts
from cli.doctor.checks import Check, Verdict, problems, skipped
from cli.doctor.delivery import (
    check_calls,
    check_database,
    check_marketing,
    check_queue,
    check_redis,
    check_subscribers,
    check_unknown,
    check_workers,
)
from cli.doctor.domain import DnsQuestions, check_sender
from cli.doctor.leftovers import check_leftovers
from cli.doctor.recipients import check_other_hosts, check_recipients
from cli.doctor.webhooks import check_delivery, check_secret, check_web, sources


def examine(settings: Mapping[str, Any], questions: DnsQuestions) -> list[Check]:
    """Every check, in the order in which causes come before what they cause.

    It sends no email; it stores one event for each webhook that it tries. Needs an app context.
    """
    leftovers = [*check_leftovers(settings), check_recipients()]
    accounts, clock = check_accounts(settings)
    outside = [*accounts.values(), clock, *check_sender(settings, questions)]
    inside = _check_inside(settings, accounts)
    return [*leftovers, *outside, *inside, *_check_webhooks(settings, [*leftovers, *inside])]


def _check_inside(settings: Mapping[str, Any], accounts: Mapping[str, Check]) -> list[Check]:
    redis = check_redis(settings)
    parts = [check_database(), redis, check_workers(settings, redis)]
    found = [part for part in parts if part is not None]
    if problems(found[:1]):
        names = ("unknown-emails", "subscribers", "queue", "other-hosts")
        unread = [*(f"{name}-calls" for name in accounts), "marketing", *names]
        return [*found, *(skipped(name, "see database") for name in unread)]
    calls = [check_calls(name, account) for name, account in accounts.items()]
    causes = problems([*found, *accounts.values(), *calls])
    rows = [check_unknown(), check_subscribers(), check_queue(causes), check_other_hosts()]
    return [*found, *calls, check_marketing(), *rows]


def _check_webhooks(settings: Mapping[str, Any], earlier: list[Check]) -> list[Check]:
    known = sources(settings)
    secrets = {source.name: check_secret(source) for source in known}
    web = _check_web(settings, earlier)
    deliveries = []
    for source in known:
        causes = [each for each in (secrets[source.name], web) if each.verdict is not Verdict.OK]
        if causes:
            deliveries.append(skipped(f"{source.name}-webhook", f"see {causes[0].name}"))
        else:
            deliveries.append(check_delivery(source, settings["APP_URL"]))
    return [*secrets.values(), web, *deliveries]


def _check_web(settings: Mapping[str, Any], earlier: list[Check]) -> Check:
    # Nothing signed goes over plain http, and an app without its database answers no event.
    for check in problems(earlier):
        if check.name in ("app-url", "database"):
            return skipped("web", f"see {check.name}")
    return check_web(settings["APP_URL"])
