"""What the providers' events say, read without any database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers import (
    PROVIDERS,
    BounceClass,
    EventType,
    TrackingEvent,
)
from providers.resend import webhook as resend_webhook
from providers.sendgrid import webhook as sendgrid_webhook
from providers.sequenzy import webhook as sequenzy_webhook
from providers.webhook import UnusableEvent, parse_time
from tools.provider_events import body_of, resend_event, sendgrid_event, sequenzy_event

OURS = "018f0000-0000-7000-8000-0000000000aa"
HARD, SOFT, OPEN = BounceClass.HARD, BounceClass.SOFT, BounceClass.UNDETERMINED


def read(provider: str, value: Any) -> TrackingEvent | None:
    webhook = PROVIDERS[provider].webhook
    assert webhook is not None
    [item] = webhook.split(body_of(value), {"svix-id": "msg_1"})
    return webhook.parse(item)


def resend(kind: str, **data: Any) -> TrackingEvent:
    event = read("resend", resend_event(kind, OURS, **data))
    assert event is not None
    return event


def sequenzy(kind: str, **data: Any) -> TrackingEvent:
    event = read("sequenzy", sequenzy_event(kind, "es_1", **data))
    assert event is not None
    return event


def sendgrid(kind: str, **fields: Any) -> TrackingEvent:
    event = read("sendgrid", [sendgrid_event(kind, OURS, **fields)])
    assert event is not None
    return event


# The enhanced status code decides, wherever it stands; then the vendor's label.
SENDGRID_BOUNCES: list[tuple[dict[str, Any], BounceClass]] = [
    ({"type": "bounce"}, HARD),
    ({"type": "blocked"}, SOFT),
    ({"type": "invented"}, OPEN),
    ({}, OPEN),
    ({"type": ["bounce"]}, OPEN),
    ({"type": "blocked", "status": "5.1.1"}, HARD),
    ({"type": "bounce", "status": "4.2.2"}, SOFT),
    ({"type": "bounce", "status": "5.2.2"}, HARD),
    ({"type": "blocked", "status": "5.7.1"}, SOFT),
    ({"type": "bounce", "status": "5.0.0", "reason": "452 4.2.2 full"}, HARD),
    ({"type": "bounce", "reason": "452 4.2.2 mailbox full"}, SOFT),
    ({"type": "blocked", "reason": "550 5.1.1. No such user"}, HARD),
    ({"type": "blocked", "reason": "550-5.1.10 RESOLVER.ADR.RecipientNotFound"}, HARD),
    ({"type": "blocked", "reason": "Postfix 2.10.1 says 550 <5.2.1> disabled"}, HARD),
    ({"type": "blocked", "reason": "Exim 4.94.2: 550 5.1.1 unknown"}, HARD),
    ({"type": "blocked", "reason": "550 5.1.8 bad sender"}, SOFT),
    ({"type": "blocked", "reason": "550 5.1.7 bad sender"}, SOFT),
    ({"type": "bounce", "reason": "blocked by 4.1.1.7"}, HARD),
    ({"type": "blocked", "reason": "host 10.5.1.1 refused"}, SOFT),
    ({"type": "blocked", "status": 5.1, "reason": ["5.1.1"]}, SOFT),
]
RESEND_BOUNCES: list[tuple[Any, BounceClass]] = [
    ({"type": "Permanent", "subType": "General"}, HARD),
    ({"type": "Transient"}, SOFT),
    ({"type": "Undetermined"}, OPEN),
    ({"type": "permanent"}, HARD),
    ({"type": None}, OPEN),
    ({"type": "Transient", "diagnosticCode": "smtp; 550 5.1.1 unknown"}, HARD),
    ({"type": "Transient", "diagnosticCode": ["smtp; 550 5.1.1 unknown"]}, HARD),
    ({"type": "Transient", "diagnosticCode": [5, None, {"a": 1}, "550 5.1.1"]}, HARD),
    ({"type": "Permanent", "diagnosticCode": ["452 4.2.2 full"]}, SOFT),
    ({"type": "Permanent", "message": "452 4.2.2 full"}, SOFT),
    ({"type": "Permanent", "message": "552 5.3.4 too large"}, HARD),
    ("Permanent", OPEN),
    (None, OPEN),
]
SEQUENZY_BOUNCES: list[tuple[dict[str, Any], BounceClass]] = [
    ({}, HARD),
    ({"reason": "550 5.1.1"}, HARD),
    ({"bounce_reason": "452 4.2.2 full"}, SOFT),
    ({"failure": {"message": "452 4.2.2 full"}}, SOFT),
    ({"bounce_type": "Transient"}, HARD),
]


@pytest.mark.parametrize(("fields", "expected"), SENDGRID_BOUNCES)
def test_a_bounce_at_sendgrid_is_judged_by_its_code_then_by_its_label(
    fields: dict[str, Any], expected: BounceClass
):
    assert sendgrid("bounce", **fields).bounce is expected


@pytest.mark.parametrize(("bounce", "expected"), RESEND_BOUNCES)
def test_a_bounce_at_resend_is_judged_by_its_code_then_by_its_label(
    bounce: Any, expected: BounceClass
):
    assert resend("email.bounced", bounce=bounce).bounce is expected


@pytest.mark.parametrize(("data", "expected"), SEQUENZY_BOUNCES)
def test_a_bounce_at_sequenzy_is_hard_unless_its_code_says_otherwise(
    data: dict[str, Any], expected: BounceClass
):
    assert sequenzy("email.bounced", **data).bounce is expected


def test_only_bounces_and_addresses_on_the_providers_own_list_have_a_class():
    listed = {"type": "suppressed", "message": "Suppressed after a bounce"}
    assert resend("email.suppressed", suppressed=listed).bounce is HARD
    assert resend("email.suppressed", suppressed={"message": "complaint"}).bounce is None
    assert sendgrid("dropped", reason="Bounced Address").bounce is HARD
    assert sendgrid("dropped", reason="Spam Content").bounce is None
    for event in (
        resend("email.failed", bounce={"message": "5.1.1"}),
        sendgrid("deferred", response="450 4.2.1"),
        sequenzy("email.failed", reason="550 5.1.1"),
    ):
        assert event.bounce is None


REASONS: list[tuple[TrackingEvent, str]] = [
    (resend("email.bounced", bounce={"message": "a", "diagnosticCode": ["b", "c"]}), "b c"),
    (resend("email.bounced", bounce={"message": "a"}), "a"),
    (resend("email.failed", failed={"reason": "reached_daily_quota"}), "reached_daily_quota"),
    (resend("email.suppressed", suppressed={"message": "on the list"}), "on the list"),
    (resend("email.clicked", click={"link": "https://a.example/"}), "https://a.example/"),
    (sequenzy("email.failed", failure={"code": "X", "message": "why"}), "why"),
    (sequenzy("email.failed", failure={"code": "X"}), "X"),
    (sequenzy("email.clicked", link="https://a.example/"), "https://a.example/"),
    (sendgrid("deferred", response="450 later"), "450 later"),
    (sendgrid("dropped", reason="Invalid"), "Invalid"),
    (sendgrid("click", url="https://a.example/"), "https://a.example/"),
    (sendgrid("dropped", reason="a\r\n\0b\ud800\u2028c"), "a b c"),
    (sendgrid("dropped", reason="x" * 5000), "x" * 500),
    (sendgrid("dropped", reason=["x"]), ""),
]


@pytest.mark.parametrize(("event", "expected"), REASONS, ids=range(len(REASONS)))
def test_the_reason_is_one_line_of_the_providers_own_words(event: TrackingEvent, expected: str):
    assert event.reason == expected


def test_an_event_names_its_email_and_whom_it_is_about():
    found = [
        (each.provider_message_id, each.email_id, each.recipient, each.names_one)
        for each in (
            resend("email.sent", to=["Ann <ANN@Example.com>"]),
            resend("email.sent", to=["ann@example.com", "bob@example.com"]),
            sequenzy("email.sent", recipient="ANN@example.com"),
            sendgrid("open", email="Ann@Example.com"),
        )
    ]
    resends = "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"
    assert found == [
        (resends, OURS, "ann@example.com", False),
        (resends, OURS, None, False),
        ("es_1", None, "ann@example.com", True),
        ("LRzXl_NHStOGhQ4kofSm_A", OURS, "ann@example.com", True),
    ]


@pytest.mark.parametrize("odd", [None, 5, [], {}, "", "x", "\0", "e" * 300, "id 1", "\ud800"])
def test_an_odd_id_is_no_id_of_ours(odd: Any):
    assert resend("email.sent", tags={"email_id": odd}).email_id is None
    assert sendgrid("open", email_id=odd).email_id is None
    if odd != "x":  # which may well be one of theirs
        assert resend("email.sent", email_id=odd).provider_message_id is None
        assert sequenzy("email.sent", email_send_id=odd).provider_message_id is None
        assert sendgrid("open", sg_message_id=odd).provider_message_id is None


NO_DATA: tuple[Any, ...] = (None, [], "x", 5)
NO_ITEM: tuple[Any, ...] = (None, 5, {}, {"event": "open"}, {"event": []})
NO_MEANING: list[tuple[str, Any]] = [
    *(("resend", {"type": "email.sent", "data": odd}) for odd in NO_DATA),
    *(("sequenzy", {"id": "1", "type": "email.sent", "data": odd}) for odd in NO_DATA),
    *(("sendgrid", [odd]) for odd in NO_ITEM),
    ("sendgrid", [{"event": "open", "email": "a@example.com, b@example.com"}]),
]


@pytest.mark.parametrize(("provider", "value"), NO_MEANING)
def test_what_is_meant_for_us_and_has_no_meaning_is_said_to_be_unusable(provider: str, value: Any):
    with pytest.raises(UnusableEvent):
        read(provider, value)


TIMES: list[tuple[Any, str]] = [
    (1785578400, "2026-08-01T10:00:00+00:00"),
    (1785578400.5, "2026-08-01T10:00:00.500000+00:00"),
    ("1785578400", "2026-08-01T10:00:00+00:00"),
    ("2026-08-01T10:00:00Z", "2026-08-01T10:00:00+00:00"),
    ("2026-08-01T12:00:00.250+02:00", "2026-08-01T10:00:00.250000+00:00"),
    ("2026-08-01T10:00:00", "2026-08-01T10:00:00+00:00"),
]
NO_TIMES: list[Any] = [
    *(None, True, "", "now", [], {}, 0, -1, 1.7e18, float("nan"), float("inf"), "9" * 5000),
    *(10**400, 1785578400000, 253402300800, -62135596801, "0001-01-01T00:00:00+23:59"),
    *("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z", "1969-01-01T00:00:00Z", "\u0663"),
]


@pytest.mark.parametrize(("told", "expected"), TIMES)
def test_a_time_is_read_however_it_is_written(told: Any, expected: str):
    assert parse_time(told).isoformat() == expected


@pytest.mark.parametrize("told", NO_TIMES, ids=lambda told: str(told)[:30] if told else "-")
def test_a_time_that_no_event_can_have_is_the_present(told: Any):
    assert abs(parse_time(told) - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_event_id_that_no_column_can_hold_is_hashed_and_stays_the_same():
    webhook = PROVIDERS["sequenzy"].webhook
    assert webhook is not None
    for odd in (5, ["evt_1"], "e" * 300, "evt 1", "\0", "\ud800", ""):
        ids = {
            webhook.split(body_of(sequenzy_event("email.sent") | {"id": odd}), {})[0].event_id
            for _ in range(2)
        }
        assert [len(each) for each in ids] == [64]


def test_every_type_of_ours_is_told_by_some_provider():
    modules = (resend_webhook, sendgrid_webhook, sequenzy_webhook)
    assert {kind for module in modules for kind in module.EVENT_TYPES.values()} == set(EventType)
