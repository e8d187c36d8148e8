"""The email as every part of the app sees it: frozen, and checked when it is made.

Knows no Flask and no provider.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal, get_args

from attrs import asdict, field, frozen
from uuid6 import uuid7

from errors import InvalidMessage
from message.address import Address, AddressLike, parse_addresses
from message.attachment import Attachment
from message.headers import MAX_LINE, extra_headers, one_line
from message.plain_text import plain_text_from_html
from message.unchecked import unchecked

MAX_RECIPIENTS = 1000  # SendGrid's limit over to, cc and bcc; the others take less
MAX_TOTAL_BYTES = 40 * 1024 * 1024  # Resend's limit, attachments counted as base64
ORIGINAL_TO = "X-Original-To"
MAX_METADATA_BYTES = 9_900  # SendGrid takes 10,000 of custom_args, and our id is one of them

Category = Literal["transactional", "marketing"]
UnknownPolicy = Literal["hold", "resend"]

_UNSAFE_IN_BODY = re.compile(r"[\x00\ud800-\udfff]")


def _body(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidMessage(f"{name} must be text, not {type(value).__name__}", field=name)
    if _UNSAFE_IN_BODY.search(value):
        raise InvalidMessage(f"{name} holds a character that no email can carry", field=name)
    return value


def new_id() -> str:
    """A fresh id (UUIDv7, so that ids sort by time) in its canonical lower-case text."""
    return str(uuid7())


def id_at(moment: datetime) -> str:
    """What every id made after `moment` sorts behind (RFC 9562: milliseconds come first)."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"


def _to(value: AddressLike | Iterable[AddressLike]) -> tuple[Address, ...]:
    return parse_addresses(value, "to")


def _cc(value: AddressLike | Iterable[AddressLike]) -> tuple[Address, ...]:
    return parse_addresses(value, "cc")


def _bcc(value: AddressLike | Iterable[AddressLike]) -> tuple[Address, ...]:
    return parse_addresses(value, "bcc")


def _reply_to(value: AddressLike | Iterable[AddressLike]) -> tuple[Address, ...]:
    return parse_addresses(value, "reply_to")


def _from_email(value: AddressLike | None) -> Address | None:
    return None if value is None else Address.parse(value, "from_email")


def _subject(value: str) -> str:
    subject = one_line(value, "subject", MAX_LINE)
    if not subject.strip():
        raise InvalidMessage("subject is empty", field="subject")
    return subject


def _metadata(value: Mapping[str, str]) -> Mapping[str, str]:
    for key, content in value.items():
        one_line(key, "metadata", 255)
        one_line(content, f"metadata[{key}]", MAX_METADATA_BYTES)
    size = sum(len(key.encode()) + len(content.encode()) for key, content in value.items())
    if size > MAX_METADATA_BYTES:
        raise InvalidMessage(
            f"metadata has {size} bytes; the limit is {MAX_METADATA_BYTES}", field="metadata"
        )
    return MappingProxyType(dict(value))


def _tags(value: str | Iterable[str]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys([value] if isinstance(value, str) else value))
    if len(tags) > 10:
        raise InvalidMessage(f"tags has {len(tags)} entries; the limit is 10", field="tags")
    for tag in tags:
        if not one_line(tag, "tags", 255):
            raise InvalidMessage("tags has an empty entry", field="tags")
    return tags


def _send_at(value: datetime | None) -> datetime | None:
    return _time(value, "send_at")


def _expires_at(value: datetime | None) -> datetime | None:
    return _time(value, "expires_at")


def _time(value: datetime | None, name: str) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise InvalidMessage(f"{name} needs a time zone (use UTC)", field=name)
    return value and value.astimezone(UTC)


def _intent_key(value: str | None) -> str | None:
    if value is None:
        return None
    if not one_line(value, "intent_key", 255):
        raise InvalidMessage("intent_key is empty", field="intent_key")
    return value


def _attachments(value: "Iterable[Attachment]") -> "tuple[Attachment, ...]":
    files = tuple(value)
    if not all(isinstance(file, Attachment) for file in files):
        raise InvalidMessage("attachments takes Attachment objects", field="attachments")
    return files


@frozen(kw_only=True)
class EmailMessage:
    """One email: `EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hello</p>")` is enough.

    `to`, `cc`, `bcc` and `reply_to` take one address or several, with or without a display name;
    `from_email` is filled from FROM_EMAIL when the message is sent, `text` from the HTML.
    `send_at` and `expires_at` are kept by our own outbox, never handed to a provider.
    `id` is our id of the email and, at the provider, its idempotency key.
    `intent_key` names the business event behind the email: a second message with the same key
    is the first one. Raises `InvalidMessage` with the `field` that is wrong.
    """

    id: str = field(factory=new_id, eq=False)
    to: tuple[Address, ...] = field(converter=_to)
    subject: str = field(converter=_subject)
    html: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    from_email: Address | None = field(default=None, converter=_from_email)
    cc: tuple[Address, ...] = field(default=(), converter=_cc)
    bcc: tuple[Address, ...] = field(default=(), converter=_bcc)
    reply_to: tuple[Address, ...] = field(default=(), converter=_reply_to)
    headers: Mapping[str, str] = field(factory=dict, converter=extra_headers)
    attachments: tuple[Attachment, ...] = field(default=(), converter=_attachments)
    tags: tuple[str, ...] = field(default=(), converter=_tags)
    metadata: Mapping[str, str] = field(factory=dict, converter=_metadata)
    send_at: datetime | None = field(default=None, converter=_send_at)
    expires_at: datetime | None = field(default=None, converter=_expires_at)
    intent_key: str | None = field(default=None, converter=_intent_key)
    kind: str = ""
    category: Category = "transactional"
    if_unknown: UnknownPolicy = "hold"
    sensitive: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.to:
            raise InvalidMessage("to is empty", field="to")
        self._check_words()
        self._drop_repeated_recipients()
        if len(self.recipients) > MAX_RECIPIENTS:
            raise InvalidMessage(
                f"to, cc and bcc hold more than {MAX_RECIPIENTS} addresses", field="to"
            )
        self._check_bodies()

    def with_bodies(self, *, html: str, text: str) -> "EmailMessage":
        """This message with other bodies; only these are checked. Raises `InvalidMessage`."""
        changed = self._changed(html=html, text=text)
        changed._check_bodies()
        return changed

    def completed(self, sender: Address, more_headers: Mapping[str, str]) -> "EmailMessage":
        """This message from `sender` if it names none, and with these headers too."""
        if self.from_email and not more_headers:
            return self
        headers = extra_headers({**self.headers, **more_headers})
        return self._changed(from_email=self.from_email or sender, headers=headers)

    def redirected(self, to: Address) -> "EmailMessage":
        """This message to `to` alone, with whom it was meant for in the header X-Original-To."""
        meant = ", ".join(each.email for each in self.recipients)
        headers = {**self.headers, ORIGINAL_TO: meant[: MAX_LINE - len(ORIGINAL_TO)]}
        return self._changed(to=(to,), cc=(), bcc=(), headers=extra_headers(headers))

    def with_intent_key(self, key: str) -> "EmailMessage":
        """This message with an intent key, its own if it has one. Raises `InvalidMessage`."""
        return self if self.intent_key else self._changed(intent_key=_intent_key(key))

    def _changed(self, **fields: Any) -> "EmailMessage":
        return unchecked(EmailMessage, asdict(self, recurse=False) | fields)

    def _check_bodies(self) -> None:
        if not self.html and not self.text:
            raise InvalidMessage("html and text are both empty", field="html")
        _body(self.html, "html")
        if not self.text:
            object.__setattr__(self, "text", plain_text_from_html(self.html))
        _body(self.text, "text")
        if self.size > MAX_TOTAL_BYTES:
            raise InvalidMessage(
                f"the message has {self.size} bytes; the limit is {MAX_TOTAL_BYTES}",
                field="attachments",
            )

    def _check_words(self) -> None:
        one_line(self.kind, "kind", 64)
        for name, words in (("category", Category), ("if_unknown", UnknownPolicy)):
            if getattr(self, name) not in get_args(words):
                raise InvalidMessage(f"{name} must be one of {get_args(words)}", field=name)

    def _drop_repeated_recipients(self) -> None:
        # Nobody gets a second copy for standing in two fields; SendGrid would refuse it.
        seen = {address.email.lower() for address in self.to}
        for name in ("cc", "bcc"):
            kept = tuple(a for a in getattr(self, name) if a.email.lower() not in seen)
            seen.update(address.email.lower() for address in kept)
            object.__setattr__(self, name, kept)

    @property
    def size(self) -> int:
        """Bytes on the wire: both bodies, and the attachments as base64."""
        attached = sum((len(file.content) + 2) // 3 * 4 for file in self.attachments)
        return len(self.html.encode()) + len(self.text.encode()) + attached

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Everyone who gets a copy."""
        return (*self.to, *self.cc, *self.bcc)
