"""The contract of a provider: message to wire bytes, answer to receipt or error.

A provider touches no database, keeps no clock and retries nothing.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from attrs import field, frozen

from errors import EmailSendError, InvalidMessage, UnsupportedFeature
from message import Attachment, EmailMessage
from providers.changes import SubscriberChange
from providers.webhook import Webhook, nested
from setting_types import Rate, Setting

# resend.com/docs, Idempotency Keys: 1 to 256 characters; visible ASCII, so that a header takes it.
_KEY = re.compile(r"[!-~]{1,256}")


def _usable_id(value: Any) -> str | None:
    # What a column cannot hold counts as no id: the email is accepted all the same.
    usable = isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()
    return value if usable else None


@frozen(kw_only=True)
class Receipt:
    """The provider accepted it. `message_id` is what its webhooks carry; None if it gave none."""

    provider: str
    message_id: str | None = field(converter=_usable_id)
    status: int
    notes: tuple[str, ...] = ()


@frozen(kw_only=True)
class WireRequest:
    """Exactly what will be sent: the same bytes for the same message and key, always."""

    path: str
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(factory=dict)
    method: str = "POST"


@frozen(kw_only=True)
class Answer:
    """What came back: the status, the headers, the text, and its JSON value if it is JSON."""

    status: int
    headers: Mapping[str, str]
    text: str
    json: Any = field(init=False)

    @json.default
    def _parsed(self) -> Any:
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    def get(self, *keys: str) -> Any:
        """The member of a JSON object, or of an object inside it; None for anything else."""
        return nested(self.json, *keys)


@frozen(kw_only=True)
class KeyCheck:
    """What came of a call that sends nothing. `error` is None if the key may send emails."""

    headers: Mapping[str, str]
    error: EmailSendError | None


@frozen(kw_only=True)
class SenderRecords:
    """Which DNS records below the sender's domain a provider has its customers publish.

    `selectors` are those of its DKIM keys, of which it uses one or more. `return_path` is the
    label of the domain that bounces go to, whose SPF receivers ask for; None where each account
    has its own. `always` says that every account has these names, unless it chose others.
    """

    selectors: tuple[str, ...]
    return_path: str | None = None
    always: bool = True


@frozen(kw_only=True)
class Capabilities:
    """What a provider takes. Whatever else a message holds is refused or left out (`left_out`).

    `max_recipients` counts to, cc and bcc each. `max_bytes` counts bodies and base64 attachments.
    `idempotency_window` is how long a repeated key gives the first answer, in seconds; 0 is never.
    `left_out` names the fields of a message that this provider has no place for and that do not
    change what the reader gets. `max_batch` is how many emails one call may carry.
    """

    max_recipients: int
    max_reply_to: int
    max_attachments: int | None
    max_bytes: int
    idempotency_window: int
    left_out: tuple[str, ...] = ()
    max_batch: int = 1


class Provider(ABC):
    """One vendor. `build` makes the request of a message, `post` is the one call."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    delivers: ClassVar[bool] = True  # False: its emails never leave the machine
    webhook: ClassVar[Webhook | None] = None  # what it tells us later, if it can
    sender_records: ClassVar[SenderRecords | None] = None
    rate: Rate | None = None  # how fast it may be called, by all processes together; None: any

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """The settings that exist because this provider does."""
        return cls.webhook.settings() if cls.webhook else ()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """The provider as the checked `settings` want it."""
        return cls()

    @abstractmethod
    def build(self, message: EmailMessage, key: str) -> WireRequest:
        """The wire form of `message`, a pure function of its arguments.

        `key` is our id of the email: it becomes the idempotency key where there is one, and
        travels with the email where the provider echoes it. Raises `UnsupportedFeature`, and
        `InvalidMessage` for a key that is not 1 to 256 visible ASCII characters.
        """

    @abstractmethod
    def post(self, request: WireRequest) -> Receipt:
        """One call with a built request. Raises a member of the error tree."""

    def may_batch(self, message: EmailMessage) -> bool:
        """Whether `message` arrives the same in a batch as alone."""
        return False

    def build_batch(self, requests: Sequence[WireRequest], key: str) -> WireRequest:
        """One call with the emails of several built `requests`, a pure function as `build` is.

        `key` is the idempotency key of the whole. Raises `UnsupportedFeature` for more than
        `max_batch` of them, or `max_bytes`, and as `build` does for a key.
        """
        raise UnsupportedFeature(f"{self.name} takes no batches", provider=self.name)

    def post_batch(self, request: WireRequest, count: int) -> list[Receipt | EmailSendError]:
        """One call with a built batch of `count` emails: what became of each, in their order.

        Raises a member of the error tree where it holds for the whole call.
        """
        raise UnsupportedFeature(f"{self.name} takes no batches", provider=self.name)

    def check_key(self) -> KeyCheck:
        """One call that sends and changes nothing, to learn whether the key may send.

        Raises `ProviderUnavailable` or `OutcomeUnknown` if no answer comes, `UnsupportedFeature`
        if there is nothing to ask.
        """
        raise UnsupportedFeature(f"{self.name} cannot check its key", provider=self.name)

    def check_change(self, change: SubscriberChange) -> None:
        """Raises `UnsupportedFeature` if the provider has no such thing; calls nobody."""
        raise UnsupportedFeature(f"{self.name} keeps no subscribers", provider=self.name)

    def change_subscriber(self, change: SubscriberChange, key: str) -> Receipt:
        """Make one change of a subscriber; a repeat does no harm. Raises `EmailSendError`s."""
        raise UnsupportedFeature(f"{self.name} keeps no subscribers", provider=self.name)

    def check(self, message: EmailMessage, key: str) -> None:
        """Raise for a key no header can hold, and for what would change the email on its way."""
        self.check_idempotency_key(key)
        limits = self.capabilities
        largest = max(len(message.to), len(message.cc), len(message.bcc))
        self._at_most(largest, limits.max_recipients, "recipients")
        self._at_most(len(message.reply_to), limits.max_reply_to, "reply_to addresses")
        if limits.max_attachments is not None:
            self._at_most(len(message.attachments), limits.max_attachments, "attachments")
        self._at_most(message.size, limits.max_bytes, "bytes")

    def check_batch(self, requests: Sequence[WireRequest], key: str) -> None:
        """As `check`, for a batch."""
        self.check_idempotency_key(key)
        limits = self.capabilities
        self._at_most(len(requests), limits.max_batch, "emails in a call")
        self._at_most(sum(len(each.body) for each in requests), limits.max_bytes, "bytes")

    def check_idempotency_key(self, key: str) -> None:
        """Raise for a key no header can hold."""
        if not _KEY.fullmatch(key):
            raise InvalidMessage(
                "key must be 1 to 256 ASCII characters without spaces",
                field="key",
                provider=self.name,
            )

    def _at_most(self, count: int, limit: int, what: str) -> None:
        if count > limit:
            raise UnsupportedFeature(
                f"{self.name} takes at most {limit} {what}; here are {count}",
                provider=self.name,
            )


def without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` without the empty ones, which a vendor would refuse or take for a wish to clear."""
    return {name: value for name, value in fields.items() if value not in ("", [], {}, None)}


def attachment_fields(
    attachment: Attachment, *, content_type: str, content_id: str
) -> dict[str, str]:
    """An attachment as JSON, under the vendor's spelling of its type and content id."""
    fields = {
        "filename": attachment.filename,
        "content": attachment.base64,
        content_type: attachment.content_type,
    }
    return fields | ({content_id: attachment.content_id} if attachment.content_id else {})
