"""Which events each vendor reports for which recipient, and what stands in them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tools.simulator.tests.conftest import (
    RESEND,
    SENDGRID,
    SEQUENZY,
    VENDORS,
    Post,
    resend_to,
    sendgrid_to,
    sequenzy_to,
)
from tools.simulator.tests.listener import Listener
from tools.simulator_process import Simulator

STORIES = {
    "ann": {
        "resend": ["email.sent", "email.delivered"],
        "sendgrid": ["processed", "delivered"],
        "sequenzy": ["email.sent", "email.delivered"],
    },
    "bounce": {
        "resend": ["email.sent", "email.bounced"],
        "sendgrid": ["processed", "bounce"],
        "sequenzy": ["email.sent", "email.bounced"],
    },
    "soft-bounce": {
        "resend": ["email.sent", "email.bounced"],
        "sendgrid": ["processed", "bounce"],
        "sequenzy": ["email.sent", "email.delivery_delayed", "email.failed"],
    },
    "complaint": {
        "resend": ["email.sent", "email.delivered", "email.complained"],
        "sendgrid": ["processed", "delivered", "spamreport"],
        "sequenzy": ["email.sent", "email.delivered", "email.complained"],
    },
    "deferred": {
        "resend": ["email.sent", "email.delivery_delayed", "email.delivered"],
        "sendgrid": ["processed", "deferred", "delivered"],
        "sequenzy": ["email.sent", "email.delivery_delayed", "email.delivered"],
    },
    "open": {
        "resend": ["email.sent", "email.delivered", "email.opened", "email.clicked"],
        "sendgrid": ["processed", "delivered", "open", "click"],
        "sequenzy": ["email.sent", "email.delivered", "email.opened", "email.clicked"],
    },
    "suppressed": {"resend": ["email.suppressed"], "sendgrid": ["dropped"], "sequenzy": []},
    "unsubscribe": {
        "resend": ["email.sent", "email.delivered", "contact.updated"],
        "sendgrid": ["processed", "delivered", "unsubscribe"],
        "sequenzy": ["email.sent", "email.delivered", "email.unsubscribed"],
    },
}

vendor = pytest.mark.parametrize("vendor", VENDORS)


@pytest.fixture(scope="module")
def listening() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture(scope="module")
def simulator_process(
    listening: Listener, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Simulator]:
    log = tmp_path_factory.mktemp("simulator") / "log.jsonl"
    with Simulator(log, ["--webhooks", listening.url]) as simulator:
        yield simulator


@pytest.fixture
def listener(listening: Listener, simulator: Simulator) -> Listener:
    listening.received.clear()
    return listening


def types(listener: Listener) -> list[str]:
    return [event["type" if "created_at" in event else "event"] for event in listener.events()]


def test_every_step_has_its_words_at_every_vendor():
    assert {name: set(told) for name, told in STORIES.items()} == {
        name: set(VENDORS) for name in STORIES
    }


@vendor
@pytest.mark.parametrize("local_part", STORIES)
def test_the_local_part_says_what_becomes_of_an_email(
    post: Post, simulator, listener, vendor, local_part
):
    for recipient in (f"{local_part}@example.com", f"{local_part.upper()}+label@example.com"):
        listener.received.clear()
        assert post(*VENDORS[vendor](recipient)).ok
        simulator.reported()
        assert types(listener) == STORIES[local_part][vendor]
        assert {each.path for each in listener.received} <= {f"/api/webhooks/{vendor}"}


def test_an_event_of_resend_has_the_fields_of_its_documents(post: Post, simulator, listener):
    payload = RESEND | {
        "to": ["Ann <ann@example.com>"],
        "tags": [{"name": "email_id", "value": "o-1"}],
    }
    email_id = post("/emails", payload).json()["id"]
    simulator.reported()
    sent, delivered = listener.events()
    assert sent["type"] == "email.sent"
    assert sent["created_at"] < delivered["created_at"]
    data = delivered["data"]
    assert data["email_id"] == email_id
    assert data["to"] == ["ann@example.com"]
    assert data["tags"] == {"email_id": "o-1"}
    assert (data["from"], data["subject"]) == ("a@acme.co", "Hello")


@pytest.mark.parametrize(
    ("local_part", "kind"), [("bounce", "Permanent"), ("soft-bounce", "Transient")]
)
def test_resend_tells_hard_bounces_from_soft_ones(
    post: Post, simulator, listener, local_part, kind
):
    post(*resend_to(f"{local_part}@example.com"))
    simulator.reported()
    bounce = listener.events()[-1]["data"]["bounce"]
    assert bounce["type"] == kind
    assert set(bounce) == {"type", "subType", "message", "diagnosticCode"}


def test_resend_names_who_unsubscribed(post: Post, simulator, listener):
    post(*resend_to("unsubscribe@example.com"))
    simulator.reported()
    data = listener.events()[-1]["data"]
    assert (data["email"], data["unsubscribed"]) == ("unsubscribe@example.com", True)


def test_resend_says_which_link_was_clicked_and_why_an_address_is_suppressed(
    post: Post, simulator, listener
):
    html = '<p><a href="https://acme.co/?a=1&amp;b=2">Go</a></p>'
    post("/emails", RESEND | {"to": "open@example.com", "html": html})
    post(*resend_to("suppressed@example.com"))
    simulator.reported()
    clicked, suppressed = (event["data"] for event in listener.events()[-2:])
    assert clicked["click"]["link"] == "https://acme.co/?a=1&b=2"
    assert set(suppressed["suppressed"]) == {"type", "message"}


def test_resend_lists_all_recipients_and_says_sent_once(post: Post, simulator, listener):
    to = ["ann@example.com", "bounce@example.com"]
    post("/emails", RESEND | {"to": to, "bcc": "bob@example.com"})
    simulator.reported()
    kinds = ["email.sent", "email.delivered", "email.bounced", "email.delivered"]
    assert types(listener) == kinds
    assert all(event["data"]["to"] == to for event in listener.events())


def test_each_email_of_a_batch_has_its_own_events(post: Post, simulator, listener):
    batch = [RESEND | {"to": "bounce@example.com"}, RESEND]
    ids = [item["id"] for item in post("/emails/batch", batch).json()["data"]]
    simulator.reported()
    told = [(event["data"]["email_id"], event["type"]) for event in listener.events()]
    assert told == [
        (ids[0], "email.sent"),
        (ids[0], "email.bounced"),
        (ids[1], "email.sent"),
        (ids[1], "email.delivered"),
    ]


def test_a_scheduled_email_is_not_reported_as_sent(post: Post, simulator, listener):
    post("/emails", RESEND | {"scheduled_at": "2099-12-01T10:00:00Z"})
    simulator.reported()
    assert types(listener) == ["email.scheduled"]


def test_an_event_of_sendgrid_has_the_fields_of_its_documents(post: Post, simulator, listener):
    person = {"to": [{"email": "ann@example.com"}], "custom_args": {"email_id": "o-1"}}
    extras = {"custom_args": {"order": "7", "email": "x"}, "categories": ["welcome"]}
    answer = post("/v3/mail/send", SENDGRID | extras | {"personalizations": [person]})
    simulator.reported()
    processed, delivered = listener.events()
    assert delivered["email"] == "ann@example.com"  # a custom_arg of that name does not win
    assert (delivered["email_id"], delivered["order"]) == ("o-1", "7")
    assert delivered["category"] == "welcome"
    assert delivered["response"].startswith("250")
    assert isinstance(delivered["timestamp"], int)
    message_id = answer.headers["X-Message-Id"]
    assert delivered["sg_message_id"].startswith(f"{message_id}.filter")
    assert processed["sg_event_id"] != delivered["sg_event_id"]


@pytest.mark.parametrize(
    ("local_part", "fields"),
    [
        ("bounce", {"event": "bounce", "type": "bounce", "status": "5.1.1"}),
        ("soft-bounce", {"event": "bounce", "type": "blocked", "status": "4.2.2"}),
        ("suppressed", {"event": "dropped", "reason": "Bounced Address"}),
    ],
)
def test_sendgrid_says_why_an_email_did_not_arrive(
    post: Post, simulator, listener, local_part, fields
):
    post(*sendgrid_to(f"{local_part}@example.com"))
    simulator.reported()
    event = listener.events()[-1]
    assert event.items() >= fields.items()
    assert event["reason"]


def test_sendgrid_counts_attempts_in_text_and_gives_several_categories_as_a_list(
    post: Post, simulator, listener
):
    path, payload = sendgrid_to("deferred@example.com")
    post(path, payload | {"categories": ["a", "b"]})
    simulator.reported()
    deferred = listener.events()[1]
    assert (deferred["attempt"], deferred["category"]) == ("1", ["a", "b"])


def test_sendgrid_reports_each_recipient_by_itself(post: Post, simulator, listener):
    people = [
        {"to": [{"email": "ann@example.com"}], "cc": [{"email": "bounce@example.com"}]},
        {"to": [{"email": "suppressed@example.com"}]},
    ]
    post("/v3/mail/send", SENDGRID | {"personalizations": people})
    simulator.reported()
    told = [(event["email"], event["event"]) for event in listener.events()]
    assert told == [
        ("ann@example.com", "processed"),
        ("ann@example.com", "delivered"),
        ("bounce@example.com", "processed"),
        ("bounce@example.com", "bounce"),
        ("suppressed@example.com", "dropped"),
    ]
    assert len(listener.received) == 1  # one array


def test_sandbox_mode_reports_nothing(post: Post, simulator, listener):
    settings = {"mail_settings": {"sandbox_mode": {"enable": True}}}
    assert post("/v3/mail/send", SENDGRID | settings).status_code == 200
    assert simulator.reported() == []


def test_an_event_of_sequenzy_has_the_fields_of_its_documents(post: Post, simulator, listener):
    path, payload = sequenzy_to("bounce@example.com")
    email_id = post(path, payload | {"subscriberExternalId": "u-7"}).json()["emailSendId"]
    simulator.reported()
    sent, bounced = listener.events()
    assert set(bounced) == {"id", "type", "object", "metric", "created_at", "data"}
    assert (bounced["object"], bounced["metric"]) == ("event", "bounced")
    assert sent["id"] != bounced["id"]
    data = bounced["data"]
    assert (data["email_send_id"], data["external_id"]) == (email_id, "u-7")
    assert (data["recipient"], data["email_type"]) == ("bounce@example.com", "transactional")
    assert data["reason"]


def test_sequenzy_gives_no_external_id_that_it_was_not_given(post: Post, simulator, listener):
    post("/v1/transactional/send", SEQUENZY)
    simulator.reported()
    assert "external_id" not in listener.events()[0]["data"]


OPT_OUTS: dict[str, dict[str, Any]] = {
    "sendgrid": {
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
        }
    },
    "sequenzy": {"trackingSettings": {"clickTracking": False, "openTracking": False}},
}


@pytest.mark.parametrize("vendor", OPT_OUTS)
def test_what_is_not_to_be_tracked_is_not_reported(post: Post, simulator, listener, vendor):
    path, payload = VENDORS[vendor]("open@example.com")
    post(path, payload | OPT_OUTS[vendor])
    simulator.reported()
    assert types(listener) == STORIES["ann"][vendor]


def test_opens_and_clicks_are_opted_out_of_one_by_one(post: Post, simulator, listener):
    path, payload = sendgrid_to("open@example.com")
    post(path, payload | {"tracking_settings": {"click_tracking": {"enable": False}}})
    path, payload = sequenzy_to("open@example.com")
    post(path, payload | {"trackingSettings": {"openTracking": False, "clickTracking": True}})
    simulator.reported()
    assert {"open", "email.clicked"} <= set(types(listener))
    assert not {"click", "email.opened"} & set(types(listener))


@vendor
def test_what_is_refused_is_not_reported(post: Post, simulator, listener, vendor):
    assert post(*VENDORS[vendor]("500@example.com")).status_code == 500
    assert simulator.reported() == []


@vendor
def test_what_is_accepted_without_an_answer_is_reported(post: Post, simulator, listener, vendor):
    with pytest.raises(OSError, match="Remote end closed connection"):
        post(*VENDORS[vendor]("drop-after-accept@example.com"))
    simulator.reported()
    assert types(listener) == STORIES["ann"][vendor]


@pytest.mark.parametrize("vendor", ["resend", "sequenzy"])
def test_a_replayed_key_causes_no_second_events(post: Post, simulator, listener, vendor):
    path, payload = VENDORS[vendor]("ann@example.com")
    for _ in range(3):
        assert post(path, payload, Idempotency_Key="k-1").ok
    simulator.reported()
    assert types(listener) == STORIES["ann"][vendor]


def test_a_lone_surrogate_does_not_hold_up_the_events(post: Post, simulator, listener, session):
    body = '{"from": "a@b.co", "to": "c@d.co", "subject": "\\ud800", "text": "x"}'
    assert session.post(f"{simulator.url}/emails", data=body, timeout=10).ok
    simulator.reported()
    assert types(listener) == STORIES["ann"]["resend"]


def test_the_page_shows_the_events_of_each_email_and_how_they_were_answered(
    post: Post, simulator, listener, session
):
    post(*resend_to("bounce@example.com"))
    post(*sendgrid_to("deferred@example.com"))
    simulator.reported()
    page = session.get(f"{simulator.url}/", timeout=10).text
    for words in ("email.sent 200", "email.bounced 200", "deferred 200", "delivered 200"):
        assert f"<span>{words}</span>" in page
