"""The door of the providers' webhooks, and what each of their events does to an email."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from providers import EventType
from tests.blueprints.conftest import stored
from tests.blueprints.provider_posts import (
    accepted_email,
    accepted_emails,
    never_sent,
    outcomes,
    post,
    shown,
    suppressions,
    told,
)
from tests.conftest import MakeApp
from tools.provider_events import HEADERS, SETTINGS, body_of, sendgrid_event, sequenzy_event
from webhooks import ReceivedEvent

# Every event type that a provider documents: our word, how far the email got, its marks.
VOCABULARY: dict[str, dict[str, tuple[str, str, list[str]]]] = {
    "resend": {
        "email.scheduled": ("queued", "queued", []),
        "email.sent": ("sent", "sent", []),
        "email.delivered": ("delivered", "delivered", []),
        "email.delivery_delayed": ("deferred", "deferred", []),
        "email.bounced": ("bounced", "queued", ["bounced"]),
        "email.complained": ("complained", "queued", ["complained"]),
        "email.suppressed": ("rejected", "queued", ["rejected"]),
        "email.failed": ("failed", "queued", ["failed"]),
        "email.opened": ("opened", "opened", []),
        "email.clicked": ("clicked", "clicked", []),
    },
    "sequenzy": {
        "email.sent": ("sent", "sent", []),
        "email.delivered": ("delivered", "delivered", []),
        "email.delivery_delayed": ("deferred", "deferred", []),
        "email.bounced": ("bounced", "queued", ["bounced"]),
        "email.failed": ("failed", "queued", ["failed"]),
        "email.complained": ("complained", "queued", ["complained"]),
        "email.suppressed": ("rejected", "queued", ["rejected"]),
        "email.opened": ("opened", "opened", []),
        "email.clicked": ("clicked", "clicked", []),
        "email.unsubscribed": ("unsubscribed", "queued", ["unsubscribed"]),
        "subscriber.unsubscribed": ("unsubscribed", "queued", ["unsubscribed"]),
    },
    "sendgrid": {
        "processed": ("queued", "queued", []),
        "delivered": ("delivered", "delivered", []),
        "deferred": ("deferred", "deferred", []),
        "bounce": ("bounced", "queued", ["bounced"]),
        "dropped": ("rejected", "queued", ["rejected"]),
        "spamreport": ("complained", "queued", ["complained"]),
        "open": ("opened", "opened", []),
        "click": ("clicked", "clicked", []),
        "unsubscribe": ("unsubscribed", "queued", ["unsubscribed"]),
        "group_unsubscribe": ("unsubscribed", "queued", ["unsubscribed"]),
    },
}
MEANS_NOTHING = {
    "resend": [
        *("email.received", "contact.created", "contact.deleted", "contact.updated"),
        *("contact.topics.updated", "domain.created", "domain.updated", "domain.deleted"),
        *("suppression.created", "suppression.deleted", "email.invented", "", "\0", "x" * 5000),
    ],
    "sequenzy": [
        *("email.replied", "email.received", "campaign.sent", "sms.sent", "sms.delivered"),
        *("subscriber.created", "subscriber.updated", "subscriber.tag_added", "poll.answered"),
        *("subscriber_import.completed", "sequence.completed", "email.invented", "\ud800"),
    ],
    "sendgrid": ["group_resubscribe", "account_status_change", "invented", "a\0b", "x" * 5000],
}


@pytest.fixture(params=HEADERS)
def provider(request: pytest.FixtureRequest) -> str:
    """Each provider in turn."""
    name: str = request.param
    return name


def test_each_event_type_has_its_place_in_timeline_and_status(any_app: Flask, provider: str):
    client, known, found = any_app.test_client(), VOCABULARY[provider], {}
    for kind, email in zip(known, accepted_emails(any_app, provider, len(known)), strict=True):
        assert post(client, provider, email.event(kind)).status_code == 200
        answer = shown(client, email)
        [word] = {each["type"] for each in answer["timeline"]} & set(EventType)
        found[kind] = (word, answer["delivery_status"], answer["marks"])
    assert found == VOCABULARY[provider]
    assert outcomes(any_app) == ["applied"] * len(found)


def test_a_type_that_means_nothing_is_kept_as_ignored(any_app: Flask, provider: str):
    client, email = any_app.test_client(), accepted_email(any_app, provider)
    for kind in MEANS_NOTHING[provider]:
        answer = post(client, provider, email.event(kind))
        assert (kind, answer.status_code) == (kind, 200)
    assert outcomes(any_app) == ["ignored"] * len(MEANS_NOTHING[provider])
    assert told(client, email) == []
    assert shown(client, email)["delivery_status"] is None


def test_the_api_tells_the_story_of_an_email(client: FlaskClient, app: Flask):
    sent = accepted_email(app, "sendgrid")
    bounce = {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 No such user bob@x.example"}
    post(
        client,
        "sendgrid",
        [
            sendgrid_event("bounce", sent.id, timestamp=1785578403, **bounce),
            sendgrid_event("processed", sent.id, timestamp=1785578400),
            sendgrid_event("deferred", sent.id, timestamp=1785578401, response="450 4.2.1 later"),
        ],
    )
    email = shown(client, sent)
    assert (email["status"], email["delivery_status"]) == ("accepted", "deferred")
    assert (email["provider"], email["marks"]) == ("sendgrid", ["bounced"])
    lines = [
        (each["at"], each["type"], each.get("detail"))
        for each in email["timeline"]
        if each["at"].startswith("2026-08-01")
    ]
    assert lines == [
        ("2026-08-01T10:00:00.000Z", "queued", None),
        ("2026-08-01T10:00:01.000Z", "deferred", "450 4.2.1 later"),
        ("2026-08-01T10:00:03.000Z", "bounced", "hard 550 5.1.1 No such user b***@x.example"),
    ]
    noted = {each["type"]: each["detail"] for each in email["timeline"] if each.get("detail")}
    assert noted["address_suppressed"] == "a***@example.com all: hard bounce"


def test_a_provider_that_sends_nothing_any_more_is_still_heard(make_app: MakeApp, provider: str):
    app = make_app(EMAIL_PROVIDER="inbox", **SETTINGS)
    client, email = app.test_client(), accepted_email(app, provider)
    assert post(client, provider, email.event("email.delivered")).status_code == 200
    assert shown(client, email)["delivery_status"] == "delivered"


def test_without_a_secret_the_webhook_answers_503_and_never_skips_the_check(
    make_app: MakeApp, provider: str
):
    closed = make_app()
    answer = post(closed.test_client(), provider, never_sent(provider).event("email.sent"))
    assert answer.status_code == 503
    assert f"{provider.upper()}_WEBHOOK" in answer.get_json()["error"]
    assert stored(closed, ReceivedEvent) == 0


def test_any_of_several_secrets_will_do_while_one_is_rolled(client: FlaskClient, provider: str):
    event = never_sent(provider).event("email.sent")
    assert post(client, provider, event, secret=0).status_code == 200
    assert post(client, provider, event, secret=1).status_code == 200


def test_the_secret_of_one_provider_opens_no_other(make_app: MakeApp, provider: str):
    mixed = dict(zip(SETTINGS, [*SETTINGS.values()][1:] + [*SETTINGS.values()][:1], strict=True))
    client = make_app(**mixed).test_client()
    assert post(client, provider, never_sent(provider).event("email.sent")).status_code == 400


@pytest.mark.parametrize("name", ["mailgun", "inbox", "Resend", "stripe2", "resend.py", "%2e%2e"])
def test_a_provider_that_is_unknown_is_404(client: FlaskClient, name: str):
    assert client.post(f"/api/webhooks/{name}", data=b"{}").status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(client: FlaskClient, provider: str, method: str):
    assert client.open(f"/api/webhooks/{provider}", method=method).status_code == 405


def test_every_bad_signature_gets_the_same_400(client: FlaskClient, app: Flask, provider: str):
    body = body_of(never_sent(provider).event("email.sent"))
    good = HEADERS[provider](body)
    headers: list[dict[str, str]] = [{}]
    for name, value in good.items():
        headers.append({each: text for each, text in good.items() if each != name})
        headers += [good | {name: odd} for odd in ("", "x", value + "x", value[:-3], f"{value}é")]
    headers.append(HEADERS[provider](body + b" "))
    if provider != "sendgrid":  # which has no age
        headers += [HEADERS[provider](body, t=t) for t in (1, 1_750_000_000, 4_000_000_000)]
    answers = [
        client.post(f"/api/webhooks/{provider}", data=body, headers=each) for each in headers
    ]
    assert {each.status_code for each in answers} == {400}
    assert {each.data for each in answers} == {answers[0].data}
    assert answers[0].get_json() == {"error": "Invalid signature"}
    assert stored(app, ReceivedEvent) == 0


def test_sendgrids_age_is_checked_when_it_is_set(make_app: MakeApp):
    client = make_app(**SETTINGS, SENDGRID_WEBHOOK_MAX_AGE="86400").test_client()
    assert post(client, "sendgrid", []).status_code == 200
    assert post(client, "sendgrid", [], t=1_750_000_000).status_code == 400


NO_EVENT: list[bytes] = [
    *(b"", b" ", b"{", b"null", b'"x"', b"1", b"NaN", b"\xff", b'{"type": "email.sent"'),
    *(b"[" * 100_000, b'{"a":' * 100_000, b'{"type": "email.sent", "n": ' + b"9" * 5000 + b"}"),
    *(b"\xef\xbb\xbf[]", "[]".encode("utf-16"), b"\x1f\x8b\x08", b'{"type": "x", "a": "\xff"}'),
]
NO_SINGLE_EVENT: list[bytes] = [
    *(b"[]", b"{}", b"[{}]", b'{"type": null}', b'{"type": []}', b'{"id": "evt_1", "type": 5}'),
    *(b'{"id": "evt_1"}', b'["email.sent"]'),
]


def test_every_signed_body_that_is_no_event_gets_the_same_400(any_app: Flask, provider: str):
    client = any_app.test_client()
    single = [*NO_SINGLE_EVENT, b'{"type": "x"}'] if provider == "sequenzy" else NO_SINGLE_EVENT
    bodies = NO_EVENT + ([b"{}", b'{"events": []}'] if provider == "sendgrid" else single)
    # A digit that was moved from SendGrid's time into its body leaves the signature true.
    answers = {body: post(client, provider, body) for body in [*bodies, b"0[]"]}
    assert {body: answer.status_code for body, answer in answers.items()} == dict.fromkeys(
        answers, 400
    )
    assert {answer.data for answer in answers.values()} == {answers[b""].data}
    assert stored(any_app, ReceivedEvent) == 0


def test_a_bounce_counts_for_the_one_recipient_it_is_about(any_app: Flask, provider: str):
    client, email = any_app.test_client(), accepted_email(any_app, provider)
    bounce = email.event("email.bounced", reason="5.1.1", bounce={"message": "5.1.1"})
    assert post(client, provider, bounce).status_code == 200
    assert suppressions(any_app) == {("ann@example.com", "all")}


def test_a_bounce_that_names_somebody_else_suppresses_nobody(any_app: Flask, provider: str):
    client, email = any_app.test_client(), accepted_email(any_app, provider)
    eve: dict[str, dict[str, Any]] = {
        "resend": {"to": ["eve@example.com"]},
        "sequenzy": {"recipient": "eve@example.com"},
        "sendgrid": {"email": "eve@example.com"},
    }
    bounce = email.event(
        "email.bounced", reason="5.1.1", bounce={"message": "5.1.1"}, **eve[provider]
    )
    assert post(client, provider, bounce).status_code == 200
    assert shown(client, email)["marks"] == ["bounced"]
    assert suppressions(any_app) == set()


@pytest.mark.parametrize(
    "to",
    [["ann@example.com", "bob@example.com"], ["ann@example.com"], "ann@example.com", [], None],
    ids=json.dumps,
)
def test_a_bounce_at_resend_of_an_email_to_several_suppresses_nobody(any_app: Flask, to: Any):
    """It lists whom the email went to, and never says whose mailbox it was."""
    client = any_app.test_client()
    email = accepted_email(any_app, "resend", bcc="bob@example.com")
    bounce = email.event("email.bounced", to=to, bounce={"message": "550 5.1.1"})
    assert post(client, "resend", bounce).status_code == 200
    assert told(client, email) == [("bounced", "hard 550 5.1.1")]
    assert suppressions(any_app) == set()


def test_a_bounce_at_sendgrid_of_an_email_to_several_suppresses_the_one(any_app: Flask):
    client = any_app.test_client()
    email = accepted_email(any_app, "sendgrid", bcc="bob@example.com")
    for address in ("Bob@Example.com", "eve@example.com"):
        bounce = email.event("bounce", email=address, status="5.1.1")
        assert post(client, "sendgrid", bounce).status_code == 200
    assert ("bounced", "b***@example.com hard") in told(client, email)
    assert suppressions(any_app) == {("bob@example.com", "all")}


UNSUBSCRIBES = {
    "resend": {
        "type": "contact.updated",
        "data": {"email": "Ann@example.com", "unsubscribed": True},
    },
    "sequenzy": sequenzy_event("subscriber.unsubscribed", recipient=None, email="ann@example.com"),
    "sequenzy, of a subscriber": sequenzy_event(
        "subscriber.unsubscribed", recipient=None, subscriber={"email": "ann@example.com"}
    ),
    "sendgrid": [sendgrid_event("unsubscribe")],
    "sendgrid, of a group": [sendgrid_event("group_unsubscribe", asm_group_id=5)],
}


@pytest.mark.parametrize("name", UNSUBSCRIBES)
def test_unsubscribing_needs_no_email_of_ours(any_app: Flask, name: str):
    client = any_app.test_client()
    assert post(client, name.partition(",")[0], UNSUBSCRIBES[name]).status_code == 200
    assert suppressions(any_app) == {("ann@example.com", "marketing")}
    assert outcomes(any_app) == ["applied"]


@pytest.mark.parametrize("unsubscribed", [False, None, "true", 1, "missing"])
def test_a_contact_that_did_not_unsubscribe_is_ignored(any_app: Flask, unsubscribed: Any):
    data = {"email": "ann@example.com", "unsubscribed": unsubscribed}
    event = {"type": "contact.updated", "data": data}
    assert post(any_app.test_client(), "resend", event).status_code == 200
    assert (suppressions(any_app), outcomes(any_app)) == (set(), ["ignored"])
