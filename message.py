"""The email as every part of the app sees it: frozen, and checked at the door.

Knows no Flask and no provider.
"""

import base64
import mimetypes
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import formataddr
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from attrs import field, frozen
from email_validator import EmailNotValidError, validate_email
from uuid6 import uuid7

from errors import InvalidMessage
from plain_text import plain_text_from_html

MAX_RECIPIENTS = 1000  # SendGrid's limit over to, cc and bcc; the others take less
MAX_SUBJECT = 998  # one header line, RFC 5322 section 2.1.1
MAX_HEADERS = 50  # Sequenzy's limit
MAX_TOTAL_BYTES = 40 * 1024 * 1024  # Resend's limit, attachments counted as base64
MAX_METADATA_BYTES = 9_900  # SendGrid takes 10,000 of custom_args, and our id is one of them

Category = Literal["transactional", "marketing"]
UnknownPolicy = Literal["hold", "resend"]

# Control characters, the Unicode line separators, and halves of surrogate pairs: none of them
# may reach a header, and JSON or PostgreSQL refuses most of them anyway.
_UNSAFE_IN_HEADER = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
_UNSAFE_IN_BODY = re.compile(r"[\x00\ud800-\udfff]")
_NAMED_ADDRESS = re.compile(
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"\s*|(?P<plain>[^<>"]*))<(?P<email>[^<>]+)>'
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
_OWN_HEADERS = re.compile(
    r"from|sender|to|cc|bcc|reply-to|subject|date|message-id|mime-version|return-path|received"
    r"|dkim-signature|authentication-results|(content|arc|resent|x-sg|x-ses|x-sequenzy)-.*",
    re.IGNORECASE,
)


def one_line(value: Any, name: str, limit: int) -> str:
    """`value` if it may stand in a header; raises `InvalidMessage` with `name` as the field."""
    if not isinstance(value, str):
        raise InvalidMessage(f"{name} must be text, not {type(value).__name__}", field=name)
    if _UNSAFE_IN_HEADER.search(value):
        raise InvalidMessage(f"{name} holds a line break or control character", field=name)
    if len(value) > limit:
        raise InvalidMessage(
            f"{name} has {len(value)} characters; the limit is {limit}", field=name
        )
    return value


def _body(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidMessage(f"{name} must be text, not {type(value).__name__}", field=name)
    if _UNSAFE_IN_BODY.search(value):
        raise InvalidMessage(f"{name} holds a character that no email can carry", field=name)
    return value


@frozen
class Address:
    """One mailbox: `Address("ann@example.com", "Ann")`. The domain is stored in ASCII."""

    email: str
    name: str = ""

    @classmethod
    def parse(cls, value: "str | Address", name: str = "address") -> "Address":
        """Read `ann@example.com` or `Ann <ann@example.com>`.

        Raises `InvalidMessage`, with `name` as the field, for anything but one address.
        """
        if isinstance(value, Address):
            return cls(_mailbox(value.email, name), one_line(value.name, name, 255))
        text = one_line(value, name, 600)
        if "<" not in text:
            return cls(_mailbox(text, name))
        named = _NAMED_ADDRESS.fullmatch(text.strip())
        if not named:
            raise InvalidMessage(f"{name} is not one email address", field=name)
        display = re.sub(r"\\(.)", r"\1", named["quoted"] or (named["plain"] or "").strip())
        return cls(_mailbox(named["email"], name), one_line(display, name, 255))

    def __str__(self) -> str:
        """The form headers use, with the name quoted where it must be."""
        if not self.name:
            return self.email
        if self.name.isascii():
            return formataddr((self.name, self.email))
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{self.email}>'


def _mailbox(value: str, name: str) -> str:
    text = one_line(value, name, 320)
    try:
        checked = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError as error:
        raise InvalidMessage(f"{name} is not a usable email address: {error}", field=name) from None
    if checked.ascii_email is None:
        raise InvalidMessage(
            f"{name} has letters before the @ that providers cannot send to", field=name
        )
    return checked.ascii_email


def new_id() -> str:
    """A fresh id (UUIDv7, so that ids sort by time) in its canonical lower-case text."""
    return str(uuid7())


AddressLike = str | Address


def _addresses(value: AddressLike | Iterable[AddressLike], name: str) -> tuple[Address, ...]:
    if not isinstance(value, Iterable | Address):
        raise InvalidMessage(f"{name} must be an address or several", field=name)
    each = [value] if isinstance(value, str | Address) else list(value)
    unique: dict[str, Address] = {}
    for one in each:
        address = Address.parse(one, name)
        unique.setdefault(address.email.lower(), address)
    return tuple(unique.values())


def _to(value: AddressLike | Iterable[AddressLike]) -> tuple[Address, ...]:
    return _addresses(value, "to")


def _cc(value: AddressLike | Iterable[AddressLike]) -> tuple[Address, ...]:
    return _addresses(value, "cc")


def _bcc(value: AddressLike | Iterable[AddressLike]) -> tuple[Address, ...]:
    return _addresses(value, "bcc")


def _reply_to(value: AddressLike | Iterable[AddressLike]) -> tuple[Address, ...]:
    return _addresses(value, "reply_to")


def _from_email(value: AddressLike | None) -> Address | None:
    return None if value is None else Address.parse(value, "from_email")


def _subject(value: str) -> str:
    subject = one_line(value, "subject", MAX_SUBJECT)
    if not subject.strip():
        raise InvalidMessage("subject is empty", field="subject")
    return subject


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    if len(value) > MAX_HEADERS:
        raise InvalidMessage(f"headers has more than {MAX_HEADERS} entries", field="headers")
    for name, content in value.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise InvalidMessage("headers has a name that is not a header name", field="headers")
        if _OWN_HEADERS.fullmatch(name):
            raise InvalidMessage(
                f"headers must not set {name}: use the field of the message", field="headers"
            )
        if not one_line(content, f"headers[{name}]", MAX_SUBJECT - len(name)).isascii():
            raise InvalidMessage(f"headers[{name}] must be ASCII", field="headers")
    return MappingProxyType(dict(value))


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


def _time(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise InvalidMessage("send_at and expires_at need a time zone (use UTC)", field="send_at")
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


def _content(value: bytes) -> bytes:
    if not isinstance(value, bytes):
        raise InvalidMessage("attachments.content must be bytes", field="attachments")
    return value


def _filename(value: str) -> str:
    name = one_line(value, "attachments.filename", 255)
    if not name or "/" in name or "\\" in name:
        raise InvalidMessage(
            "attachments.filename must be a file name without folders", field="attachments"
        )
    return name


def _content_type(value: str) -> str:
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", value, re.ASCII):
        raise InvalidMessage(
            "attachments.content_type must look like text/plain", field="attachments"
        )
    return value


def _content_id(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[\w.@+-]{1,255}", value, re.ASCII):
        raise InvalidMessage(
            "attachments.content_id takes letters, digits and . @ + _ -", field="attachments"
        )
    return value


@frozen(kw_only=True)
class Attachment:
    """A file that travels with the email. With a `content_id` the HTML shows it as `cid:…`."""

    filename: str = field(converter=_filename)
    content: bytes = field(repr=False, converter=_content)
    content_type: str = field(default="application/octet-stream", converter=_content_type)
    content_id: str | None = field(default=None, converter=_content_id)

    @classmethod
    def from_path(cls, path: str | Path, *, content_id: str | None = None) -> "Attachment":
        """Read a file; the type is guessed from its name. Raises `OSError` if it cannot be read."""
        path = Path(path)
        guessed, encoding = mimetypes.guess_type(path.name)
        return cls(
            filename=path.name,
            content=path.read_bytes(),
            content_type="application/octet-stream" if encoding or not guessed else guessed,
            content_id=content_id,
        )

    @property
    def base64(self) -> str:
        """The content as every provider wants it: base64 without line breaks."""
        return base64.b64encode(self.content).decode("ascii")


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
    headers: Mapping[str, str] = field(factory=dict, converter=_headers)
    attachments: tuple[Attachment, ...] = field(default=(), converter=_attachments)
    tags: tuple[str, ...] = field(default=(), converter=_tags)
    metadata: Mapping[str, str] = field(factory=dict, converter=_metadata)
    send_at: datetime | None = field(default=None, converter=_time)
    expires_at: datetime | None = field(default=None, converter=_time)
    intent_key: str | None = field(default=None, converter=_intent_key)
    kind: str = ""
    category: Category = "transactional"
    if_unknown: UnknownPolicy = "hold"
    sensitive: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.to:
            raise InvalidMessage("to is empty", field="to")
        if not self.html and not self.text:
            raise InvalidMessage("html and text are both empty", field="html")
        _body(self.html, "html")
        if not self.text:
            object.__setattr__(self, "text", plain_text_from_html(self.html))
        _body(self.text, "text")
        self._check_words()
        self._drop_repeated_recipients()
        self._check_limits()

    def _check_words(self) -> None:
        one_line(self.kind, "kind", 64)
        for name, words in (("category", Category), ("if_unknown", UnknownPolicy)):
            if getattr(self, name) not in get_args(words):
                raise InvalidMessage(f"{name} must be one of {get_args(words)}", field=name)

    def _check_limits(self) -> None:
        if len(self.recipients) > MAX_RECIPIENTS:
            raise InvalidMessage(
                f"to, cc and bcc hold more than {MAX_RECIPIENTS} addresses", field="to"
            )
        if self.size > MAX_TOTAL_BYTES:
            raise InvalidMessage(
                f"the message has {self.size} bytes; the limit is {MAX_TOTAL_BYTES}",
                field="attachments",
            )

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
