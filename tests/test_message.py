"""The door of the app: what a message takes, what it makes of it, and what it refuses."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest

from errors import InvalidMessage
from message import MAX_TOTAL_BYTES, Address, Attachment, EmailMessage


def message(**fields: Any) -> EmailMessage:
    return EmailMessage(**{"to": "ann@example.com", "subject": "Hi", "text": "Hello"} | fields)


def refused(**fields: Any) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        message(**fields)
    return caught.value


@pytest.mark.parametrize(
    ("text", "email", "name"),
    [
        ("ann@example.com", "ann@example.com", ""),
        ("  ann@example.com ", "ann@example.com", ""),
        ("<ann@example.com>", "ann@example.com", ""),
        ("Ann <ann@example.com>", "ann@example.com", "Ann"),
        (" Ann  Lee  < ann@example.com > ", "ann@example.com", "Ann  Lee"),
        ('"Lee, Ann" <ann@example.com>', "ann@example.com", "Lee, Ann"),
        (r'"Ann \"Ace\" Lee" <ann@example.com>', "ann@example.com", 'Ann "Ace" Lee'),
        ("Änn 李 <ann@example.com>", "ann@example.com", "Änn 李"),
        ("Ann.Lee+tag@EXAMPLE.com", "Ann.Lee+tag@example.com", ""),
        ("ann@münchen.example.com", "ann@xn--mnchen-3ya.example.com", ""),
    ],
)
def test_an_address_is_read_with_or_without_a_name(text: str, email: str, name: str):
    assert Address.parse(text) == Address(email, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Ann",
        "Lee, Ann",
        'A "B" C',
        "A <b@c.de>",
        "back\\slash",
        "Änn, 李",
        'Änn "Ä" \\ 李',
        "O'Hara",
        "a@b",
    ],
)
def test_an_address_survives_the_form_that_headers_use(name: str):
    address = Address("ann@example.com", name)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        " ",
        "ann",
        "ann@",
        "@example.com",
        "ann@example",
        "ann@@example.com",
        "ann@exa mple.com",
        "ann@example.com, bob@example.com",
        "Ann <ann@example.com>, Bob <bob@example.com>",
        "Ann <ann@example.com> bob@example.com",
        "Ann <ann@example.com",
        "Ann <>",
        "ann@example.com\r\nBcc: bob@example.com",
        "Ann\r\nBcc: bob@example.com <ann@example.com>",
        "Ann\x00 <ann@example.com>",
        "Ann\u2028 <ann@example.com>",
        "Ann\ud800 <ann@example.com>",
        "änn@example.com",
        f"{'a' * 256} <ann@example.com>",
        f"{'a' * 250}@example.com",
        " " * 598 + "<x",
        None,
        5,
        b"ann@example.com",
    ],
)
def test_anything_but_one_usable_address_is_refused(nonsense: Any):
    with pytest.raises(InvalidMessage) as caught:
        Address.parse(nonsense, "to")
    assert caught.value.field == "to"


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


@pytest.mark.parametrize(
    "fields",
    [
        {"filename": ""},
        {"filename": "../secret"},
        {"filename": "a\\b"},
        {"filename": "a\nb"},
        {"content": "text"},
        {"content_type": "pdf"},
        {"content_type": "text/plain; name=x"},
        {"content_id": "<logo>"},
        {"content_id": ""},
    ],
)
def test_an_attachment_is_checked_as_well(fields: dict[str, Any]):
    with pytest.raises(InvalidMessage) as caught:
        Attachment(**{"filename": "a.txt", "content": b"x"} | fields)
    assert str(caught.value.field).startswith("attachments")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("invoice.pdf", "application/pdf"),
        ("logo.png", "image/png"),
        ("backup.tar.gz", "application/octet-stream"),
        ("unknown", "application/octet-stream"),
    ],
)
def test_a_file_is_attached_with_the_type_its_name_suggests(
    tmp_path: Path, name: str, content_type: str
):
    (tmp_path / name).write_bytes(b"\x00\xff")
    file = Attachment.from_path(tmp_path / name)
    assert (file.filename, file.content_type, file.base64) == (name, content_type, "AP8=")


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
