"""The stored form of a message: read back as it was, unchecked, or refused as a whole."""

import json
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from errors import EmailSendError, InvalidMessage
from message import Address, Attachment, EmailMessage, UnreadableMessage, from_json, to_json

FILE = Attachment(filename="logo.png", content=b"\x89PNG", content_id="logo")


def full() -> EmailMessage:
    """A message in which no field has its default."""
    return EmailMessage(
        id="0199c0de-0000-7000-8000-000000000001",
        to=["Ann Müller <ann@example.com>", "ben@example.com"],
        cc="cy@example.com",
        bcc="dee@example.com",
        reply_to="help@acme.co",
        from_email='"Acme, Inc." <a@acme.co>',
        subject="Grüße 🎉",
        html="<p>Grüße</p>",
        text="Grüße",
        headers={"X-Ref": "r-1"},
        attachments=[FILE],
        tags=["welcome", "spring"],
        metadata={"order": "42"},
        send_at=datetime(2027, 1, 2, 3, 4, 5, 678, UTC),
        expires_at=datetime(2027, 1, 3, tzinfo=UTC),
        intent_key="receipt:cs_1",
        kind="welcome",
        category="marketing",
        if_unknown="resend",
        sensitive=True,
    )


STORED = {
    "version": 1,
    "id": "0199c0de-0000-7000-8000-000000000001",
    "to": [
        {"email": "ann@example.com", "name": "Ann Müller"},
        {"email": "ben@example.com", "name": ""},
    ],
    "subject": "Grüße 🎉",
    "html": "<p>Grüße</p>",
    "text": "Grüße",
    "from_email": {"email": "a@acme.co", "name": "Acme, Inc."},
    "cc": [{"email": "cy@example.com", "name": ""}],
    "bcc": [{"email": "dee@example.com", "name": ""}],
    "reply_to": [{"email": "help@acme.co", "name": ""}],
    "headers": {"X-Ref": "r-1"},
    "attachments": [
        {
            "filename": "logo.png",
            "content": "iVBORw==",
            "content_type": "image/png",
            "content_id": "logo",
        }
    ],
    "tags": ["welcome", "spring"],
    "metadata": {"order": "42"},
    "send_at": "2027-01-02T03:04:05.000678+00:00",
    "expires_at": "2027-01-03T00:00:00+00:00",
    "intent_key": "receipt:cs_1",
    "kind": "welcome",
    "category": "marketing",
    "if_unknown": "resend",
    "sensitive": True,
}
"""What rows of version 1 hold; a change here needs a new version, for such rows exist."""


def short() -> EmailMessage:
    return EmailMessage(to="ann@example.com", subject="Hi", text="Hello")


def test_the_stored_form_is_what_rows_of_this_version_hold():
    assert to_json(full()) == STORED


@pytest.mark.parametrize("make", [full, short])
def test_what_was_stored_comes_back_field_by_field(make):
    message = make()
    thawed = from_json(json.loads(json.dumps(to_json(message))))
    for field in attrs.fields(EmailMessage):
        stored, given = getattr(thawed, field.name), getattr(message, field.name)
        assert (type(stored), stored) == (type(given), given), field.name
    assert thawed == message


def test_every_field_of_the_sample_differs_from_its_default():
    for field in attrs.fields(EmailMessage):
        assert getattr(full(), field.name) != getattr(short(), field.name), field.name


def test_a_check_that_is_stricter_now_stops_no_stored_message():
    loose = {"subject": "x" * 2000, "tags": ["a\nb"], "headers": {"From": "é"}, "html": ""}
    thawed = from_json(STORED | loose | {"to": [{"email": "not an address", "name": "\n"}]})
    assert (thawed.subject, thawed.to) == ("x" * 2000, (Address("not an address", "\n"),))


def test_a_field_that_was_not_known_then_has_its_default():
    lost = {"sensitive", "metadata", "expires_at", "text", "attachments"}
    thawed = from_json({name: value for name, value in STORED.items() if name not in lost})
    assert (thawed.sensitive, thawed.expires_at, thawed.text) == (False, None, "")
    assert (dict(thawed.metadata), thawed.attachments) == ({}, ())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "it has version 2, and this code reads 1"),
        ({"version": None}, "it has version None"),
        ({"calendar": "x"}, "EmailMessage has no calendar"),
        ({"to": [{"email": "a@example.com", "name": "", "verified": True}]}, "verified"),
        ({"attachments": [STORED["attachments"][0] | {"method": "x"}]}, "no method"),  # type: ignore[index]
        ({"attachments": [{"content": "aGk="}]}, "Attachment needs filename"),
        ({"attachments": [{"filename": "a.txt", "content": "aGk"}]}, "padding"),
        ({"attachments": 5}, "not iterable"),
        ({"send_at": "soon"}, "soon"),
        ({"headers": 5}, "not iterable"),
    ],
)
def test_what_this_code_does_not_know_is_unreadable(change: dict[str, Any], words: str):
    with pytest.raises(UnreadableMessage, match=words) as unreadable:
        from_json(STORED | change)
    assert "deploy the newer code" in str(unreadable.value)
    assert not isinstance(unreadable.value, EmailSendError)


@pytest.mark.parametrize("name", ["version", "to", "subject"])
def test_what_lacks_a_needed_part_is_unreadable(name: str):
    with pytest.raises(UnreadableMessage, match=name):
        from_json({each: value for each, value in STORED.items() if each != name})


def test_other_bodies_are_checked_and_nothing_else_changes():
    changed = full().with_bodies(html="<p>New</p>", text="New")
    assert changed == attrs.evolve(full(), html="<p>New</p>", text="New")
    assert full().with_bodies(html="<p>New</p>", text="").text == "New"
    for html, text in (("", ""), ("\0", "x"), ("x", "\ud800")):
        with pytest.raises(InvalidMessage):
            full().with_bodies(html=html, text=text)


def test_a_complete_message_is_left_as_it_is():
    sender, links = Address("b@acme.co"), {"List-Unsubscribe": "<https://acme.co/u>"}
    assert full().completed(sender, {}) == full()
    completed = short().completed(sender, links)
    assert completed == attrs.evolve(short(), from_email=sender, headers=links)
    many = attrs.evolve(short(), headers={f"X-{number}": "x" for number in range(50)})
    with pytest.raises(InvalidMessage, match="headers has more than 50"):
        many.completed(sender, links)
