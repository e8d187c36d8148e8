"""The door of the app: what a message takes, what it makes of it, and what it refuses."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from errors import InvalidMessage
from message import Address, Attachment, EmailMessage
from message.email_message import MAX_TOTAL_BYTES


def message(**fields: Any) -> EmailMessage:
    return EmailMessage(**{"to": "ann@example.com", "subject": "Hi", "text": "Hello"} | fields)


def refused(**fields: Any) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        message(**fields)
    return caught.value


def test_a_ready_made_address_is_checked_as_well():
    assert refused(to=Address("ann@example.com", "Ann\nBcc: x")).field == "to"
    assert refused(reply_to=Address("ann", "Ann")).field == "reply_to"


def test_little_is_enough_for_a_message():
    sent = EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hello</p>")
    assert sent.to == (Address("ann@example.com"),)
    assert sent.text == "Hello"
    assert (sent.category, sent.if_unknown, sent.sensitive) == ("transactional", "hold", False)


def test_a_text_of_our_own_is_kept_beside_the_html():
    assert message(html="<p>Hello</p>", text="Good day").text == "Good day"


def test_an_intent_key_is_added_and_never_replaced():
    keyed = message().with_intent_key("receipt:1")
    assert keyed == message(intent_key="receipt:1")
    assert keyed.with_intent_key("receipt:2").intent_key == "receipt:1"
    with pytest.raises(InvalidMessage):
        message().with_intent_key("a" * 256)


def test_redirected_it_is_to_one_address_alone_and_says_whom_it_was_meant_for():
    sent = message(to=["Ann <ann@example.com>", "bob@example.com"], cc="c@x.co", bcc="d@x.co")
    everybody = "ann@example.com, bob@example.com, c@x.co, d@x.co"
    redirected = sent.redirected(Address("qa@example.com", "QA"))
    assert redirected.recipients == (Address("qa@example.com", "QA"),)
    assert redirected.headers == {"X-Original-To": everybody}
    many = message(to=[f"somebody{number}@example.com" for number in range(1000)])
    [header] = many.redirected(Address("qa@example.com")).headers.items()
    assert len(": ".join(header)) <= 1000  # a line of a header, with what ends its name
    assert header[1].startswith("somebody0@example.com, somebody1@")


def test_a_repeated_recipient_gets_one_copy_in_the_most_visible_field():
    sent = message(
        to=["ann@example.com", "Ann <ANN@example.com>"],
        cc=["Ann@example.com", "bob@example.com"],
        bcc=["bob@example.com", "cleo@example.com"],
    )
    assert [address.email for address in sent.recipients] == [
        "ann@example.com",
        "bob@example.com",
        "cleo@example.com",
    ]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"to": []}, "to"),
        ({"to": None}, "to"),
        ({"to": 5}, "to"),
        ({"to": [f"a{n}@example.com" for n in range(1001)]}, "to"),
        ({"cc": ["ann"]}, "cc"),
        ({"bcc": "ann"}, "bcc"),
        ({"reply_to": "ann"}, "reply_to"),
        ({"from_email": "ann"}, "from_email"),
        ({"subject": ""}, "subject"),
        ({"subject": "  "}, "subject"),
        ({"subject": None}, "subject"),
        ({"subject": "Hi\nBcc: bob@example.com"}, "subject"),
        ({"subject": "a" * 999}, "subject"),
        ({"text": ""}, "html"),
        ({"text": 5}, "text"),
        ({"html": 5}, "html"),
        ({"text": "a\x00b"}, "text"),
        ({"html": "a\ud800b"}, "html"),
        ({"headers": {"Bcc": "bob@example.com"}}, "headers"),
        ({"headers": {"content-type": "text/plain"}}, "headers"),
        ({"headers": {"X-SES-Source": "x"}}, "headers"),
        ({"headers": {"X Y": "x"}}, "headers"),
        ({"headers": {"X-Y": "ä"}}, "headers"),
        ({"headers": {"X-Y": "a\r\nBcc: b"}}, "headers[X-Y]"),
        ({"headers": {"X-Y": 5}}, "headers[X-Y]"),
        ({"headers": {f"X-{n}": "x" for n in range(51)}}, "headers"),
        ({"metadata": {"order": 5}}, "metadata[order]"),
        ({"metadata": {"order": "a\nb"}}, "metadata[order]"),
        ({"metadata": {"a": "ä" * 5000}}, "metadata"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["a\nb"]}, "tags"),
        ({"tags": [str(n) for n in range(11)]}, "tags"),
        ({"send_at": datetime(2026, 1, 1)}, "send_at"),  # noqa: DTZ001  the point of it
        ({"intent_key": ""}, "intent_key"),
        ({"intent_key": "a" * 256}, "intent_key"),
        ({"kind": "a" * 65}, "kind"),
        ({"category": "advert"}, "category"),
        ({"if_unknown": "guess"}, "if_unknown"),
        ({"attachments": ["report.pdf"]}, "attachments"),
    ],
)
def test_a_message_that_no_provider_could_send_is_refused_by_its_field(
    fields: dict[str, Any], wrong: str
):
    error = refused(**fields)
    assert error.field == wrong
    assert wrong.partition("[")[0] in str(error)
    assert not error.retryable


def test_attachments_count_towards_the_size_as_they_travel():
    content = bytes(MAX_TOTAL_BYTES * 3 // 4)
    fits = Attachment(filename="a.bin", content=content[6:])
    assert message(attachments=[fits]).size == MAX_TOTAL_BYTES - 8 + len("Hello")
    error = refused(attachments=[Attachment(filename="a.bin", content=content)])
    assert error.field == "attachments"


def test_times_are_kept_in_utc():
    noon_in_tokyo = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    sent = message(send_at=noon_in_tokyo, expires_at=noon_in_tokyo)
    assert sent.send_at == datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert sent.expires_at is not None
    assert sent.expires_at.tzinfo is UTC


def test_a_message_cannot_be_changed_afterwards():
    headers = {"X-Order": "1"}
    sent = message(headers=headers, tags="a")
    headers["X-Order"] = "2"
    assert sent.headers["X-Order"] == "1"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        sent.subject = "Bye"  # type: ignore[misc]  # the point of it
    with pytest.raises(TypeError):
        sent.headers["X-Order"] = "3"  # type: ignore[index]  # the point of it


def test_ids_are_fresh_sort_by_time_and_do_not_count_as_content():
    first, second = message(), message()
    assert first.id < second.id
    assert first == second


def test_bodies_and_files_stay_out_of_the_printed_form():
    file = Attachment(filename="a.txt", content=b"private")
    assert "private" not in repr(message(text="private", html="private", attachments=[file]))
