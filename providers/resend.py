"""Resend: `POST /emails` (resend.com/docs/api-reference/emails/send-email)."""

import json
import re
from typing import Any

from errors import (
    AuthenticationFailed,
    EmailSendError,
    InvalidMessage,
    QuotaExceeded,
    RateLimited,
)
from message import Address, EmailMessage
from providers.base import (
    Answer,
    Capabilities,
    Receipt,
    SenderRecords,
    WireRequest,
    attachment_fields,
)
from providers.http import HttpProvider, retry_after_seconds
from providers.resend_subscribers import ResendSubscribers
from providers.resend_webhook import ResendWebhook

BUSY_WAIT = 3.0  # seconds until the request that holds the same key is done


class Resend(HttpProvider):
    """Every field has a place; tags and metadata travel as Resend's name-value tags."""

    name = "resend"
    webhook = ResendWebhook()
    subscribers = ResendSubscribers
    default_url = "https://api.resend.com"
    ping_path = "/domains"
    sender_records = SenderRecords(selectors=("resend",), return_path="send")
    capabilities = Capabilities(
        max_recipients=50,
        max_reply_to=50,
        max_attachments=None,
        max_bytes=40 * 1024 * 1024,
        idempotency_window=24 * 3600,
    )

    def build(self, message: EmailMessage, key: str) -> WireRequest:
        self.check(message, key)
        payload: dict[str, Any] = {
            "from": str(message.from_email) if message.from_email else None,
            "to": _addresses(message.to),
            "cc": _addresses(message.cc),
            "bcc": _addresses(message.bcc),
            "reply_to": _addresses(message.reply_to),
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "headers": dict(message.headers),
            "attachments": [
                attachment_fields(file, content_type="content_type", content_id="content_id")
                for file in message.attachments
            ],
            "tags": _tags(message, key),
        }
        payload = {name: value for name, value in payload.items() if value}
        body = json.dumps(payload).encode()
        return WireRequest(path="/emails", body=body, headers={"Idempotency-Key": key})

    def receipt(self, answer: Answer) -> Receipt:
        return Receipt(provider=self.name, message_id=answer.get("id"), status=answer.status)

    def words(self, answer: Answer) -> str:
        parts = (answer.get("name"), answer.get("message"))
        return ": ".join(str(part) for part in parts if part)

    def refusal(self, answer: Answer, words: str) -> EmailSendError | None:
        """By its error names, which say more than its statuses (resend.com, API errors)."""
        name, status = str(answer.get("name") or ""), answer.status
        if name in ("daily_quota_exceeded", "monthly_quota_exceeded"):
            return QuotaExceeded(words, status, retry_after=self.wait(answer), provider=self.name)
        if name in ("concurrent_idempotent_requests", "resource_locked"):
            return RateLimited(words, status, retry_after=BUSY_WAIT, provider=self.name)
        if name == "invalid_idempotent_request":
            return InvalidMessage(f"idempotency_mismatch: {words}", status, provider=self.name)
        if status == 403 and name == "validation_error":
            return InvalidMessage(words, status, provider=self.name)
        if status == 400 and name in ("invalid_api_key", "missing_api_key"):
            return AuthenticationFailed(words, status, provider=self.name)
        return None

    def key_trouble(self, answer: Answer) -> EmailSendError | None:
        """A key that may only send is refused here, too, but by another name."""
        if answer.get("name") == "restricted_api_key":
            return None
        if answer.status == 400 and "api key" in self.words(answer).lower():
            return AuthenticationFailed(self.explanation(answer), 400, provider=self.name)
        return super().key_trouble(answer)

    def wait(self, answer: Answer) -> float | None:
        relative = answer.headers.get("ratelimit-reset")  # seconds from now
        return super().wait(answer) or retry_after_seconds(relative)


def _addresses(addresses: tuple[Address, ...]) -> list[str]:
    return [str(address) for address in addresses]


def _tags(message: EmailMessage, key: str) -> list[dict[str, str]]:
    # Our id comes back in every webhook, so nothing in the message may take its name.
    given = dict.fromkeys(message.tags, "true") | dict(message.metadata)
    tags = {_tag_characters(name): _tag_characters(value) for name, value in given.items()}
    tags["email_id"] = _tag_characters(key)
    return [{"name": name, "value": value} for name, value in tags.items() if name and value]


def _tag_characters(text: str) -> str:
    # Any other character makes Resend refuse the whole email.
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:256]
