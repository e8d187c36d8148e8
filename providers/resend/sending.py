"""Resend: `POST /emails` (resend.com/docs/api-reference/emails/send-email)."""

import json
import re
from collections.abc import Sequence
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
    without_empty,
)
from providers.http import HttpProvider, retry_after_seconds
from providers.resend.subscribers import ResendSubscribers
from providers.resend.webhook import ResendWebhook
from providers.webhook import nested

# How its 403 says that the sender's domain is not verified; within a batch there are words alone.
_SENDER = re.compile(r"domain.*not verified|verify a domain", re.IGNORECASE)

BUSY_WAIT = 3.0  # seconds until the request that holds the same key is done


class Resend(HttpProvider):
    """Every field has a place; tags and metadata travel as Resend's name-value tags."""

    name = "resend"
    webhook = ResendWebhook()
    subscribers = ResendSubscribers
    default_url = "https://api.resend.com"
    default_rate = "5/second"  # resend.com/docs/api-reference/rate-limit: a team's default
    key_check_path = "/domains"
    sender_records = SenderRecords(selectors=("resend",), return_path="send")
    capabilities = Capabilities(
        # resend.com/docs/api-reference/emails/send-email: 50 recipients, 40 MB after base64;
        # Idempotency Keys: kept for 24 hours.
        max_recipients=50,
        max_reply_to=50,
        max_attachments=None,
        max_bytes=40 * 1024 * 1024,
        idempotency_window=24 * 3600,
        # resend.com/docs/api-reference/emails/send-batch-emails: up to 100 emails.
        max_batch=100,
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
        body = json.dumps(without_empty(payload)).encode()
        return WireRequest(path="/emails", body=body, headers={"Idempotency-Key": key})

    def may_batch(self, message: EmailMessage) -> bool:
        # resend.com/docs/api-reference/emails/send-batch-emails: no attachments in a batch.
        return not message.attachments

    def build_batch(self, requests: Sequence[WireRequest], key: str) -> WireRequest:
        self.check_batch(requests, key)
        body = b"[" + b",".join(request.body for request in requests) + b"]"
        # Resend's changelog, Batch Validation Modes: one bad email does not refuse the others.
        headers = {"Idempotency-Key": key, "x-batch-validation": "permissive"}
        return WireRequest(path="/emails/batch", body=body, headers=headers)

    def post_batch(self, request: WireRequest, count: int) -> list[Receipt | EmailSendError]:
        # Resend's SDK and changelog: `data` has the ids of the accepted ones only, in order;
        # `errors` the index and message of each of the others.
        answer = self.call(request)
        refused, accepted = _refused(answer), answer.get("data") or []
        rest = [index for index in range(count) if index not in refused]
        if not isinstance(accepted, list) or not len(accepted) == len(rest) == count - len(refused):
            text = f"{self.name} said {answer.status}, but not what became of each email"
            raise self.unknown(text, answer.status)
        results: dict[int, Receipt | EmailSendError] = {
            index: Receipt(provider=self.name, message_id=nested(item, "id"), status=answer.status)
            for index, item in zip(rest, accepted, strict=True)
        }
        for index, message in refused.items():
            text = f"{self.name} refused it in a batch: {self.printable(message)}"
            kind = AuthenticationFailed if _SENDER.search(message) else InvalidMessage
            results[index] = kind(text, answer.status, provider=self.name)
        return [results[index] for index in range(count)]

    def receipt(self, answer: Answer) -> Receipt:
        return Receipt(provider=self.name, message_id=answer.get("id"), status=answer.status)

    def error_message(self, answer: Answer) -> str:
        parts = (answer.get("name"), answer.get("message"))
        return ": ".join(str(part) for part in parts if part)

    def error_by_body(self, answer: Answer, text: str) -> EmailSendError | None:
        """By its error names, which say more than its statuses.

        resend.com/docs/api-reference/errors: 429 is also an empty quota, 409 also a request in
        progress with the same key, 400 also a bad API key.
        """
        name, status = str(answer.get("name") or ""), answer.status
        if name in ("daily_quota_exceeded", "monthly_quota_exceeded"):
            wait = self.retry_after(answer)
            return QuotaExceeded(text, status, retry_after=wait, provider=self.name)
        if name in ("concurrent_idempotent_requests", "resource_locked"):
            return RateLimited(text, status, retry_after=BUSY_WAIT, provider=self.name)
        if name == "invalid_idempotent_request":
            return InvalidMessage(f"idempotency_mismatch: {text}", status, provider=self.name)
        if status == 400 and name in ("invalid_api_key", "missing_api_key"):
            return AuthenticationFailed(text, status, provider=self.name)
        return None

    def key_error(self, answer: Answer) -> EmailSendError | None:
        # resend.com/docs/api-reference/errors: `restricted_api_key` may only send emails.
        if answer.get("name") == "restricted_api_key":
            return None
        if answer.status == 400 and "api key" in self.error_message(answer).lower():
            return AuthenticationFailed(self.describe(answer), 400, provider=self.name)
        return super().key_error(answer)

    def retry_after(self, answer: Answer) -> float | None:
        # resend.com/docs/api-reference/rate-limit: the reset is in seconds from now.
        relative = answer.headers.get("ratelimit-reset")
        return super().retry_after(answer) or retry_after_seconds(relative)


def _addresses(addresses: tuple[Address, ...]) -> list[str]:
    return [str(address) for address in addresses]


def _refused(answer: Answer) -> dict[int, str]:
    errors = answer.get("errors")
    return {
        item["index"]: str(item.get("message"))
        for item in (errors if isinstance(errors, list) else ())
        if isinstance(item, dict) and isinstance(item.get("index"), int)
    }


def _tags(message: EmailMessage, key: str) -> list[dict[str, str]]:
    # Our id comes back in every webhook, so nothing in the message may take its name.
    given = dict.fromkeys(message.tags, "true") | dict(message.metadata)
    tags = {_tag_characters(name): _tag_characters(value) for name, value in given.items()}
    tags["email_id"] = _tag_characters(key)
    return [{"name": name, "value": value} for name, value in tags.items() if name and value]


def _tag_characters(text: str) -> str:
    # Resend's OpenAPI: ASCII letters, digits, _ and -, at most 256. Any other character makes
    # Resend refuse the whole email.
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:256]
