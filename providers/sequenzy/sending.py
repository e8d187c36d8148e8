"""Sequenzy: `POST /transactional/send` (docs.sequenzy.com, and its SDK where they are silent)."""

import json
from html import escape
from typing import Any

from errors import AuthenticationFailed, EmailSendError, InvalidMessage, ProviderUnavailable
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
from providers.http import HttpProvider, seconds_until
from providers.sequenzy.subscribers import SequenzySubscribers
from providers.sequenzy.webhook import SequenzyWebhook

SEND_SCOPE = "transactional:send"


class Sequenzy(HttpProvider):
    """Sends bare recipient addresses and HTML; there is no text part, tag or metadata to send."""

    name = "sequenzy"
    webhook = SequenzyWebhook()
    subscribers = SequenzySubscribers
    default_url = "https://api.sequenzy.com/api/v1"
    # Sequenzy's own README of its MCP server: 100 calls a minute, up to 20 in a second.
    default_rate = "95/minute"
    burst = 5
    key_check_path = "/account"
    # Domains that were added lately have names of their own; only the dashboard shows them.
    sender_records = SenderRecords(selectors=("sequenzy",), return_path="rp", always=False)
    capabilities = Capabilities(
        # Sequenzy's SDK: 50 recipients, one replyTo, 10 files of 15 MB together; a repeated key
        # gives the first answer for 14 days.
        max_recipients=50,
        max_reply_to=1,
        max_attachments=10,
        max_bytes=15 * 1024 * 1024,
        idempotency_window=14 * 24 * 3600,
        left_out=("text", "tags", "metadata", "names of recipients"),
    )

    def build(self, message: EmailMessage, key: str) -> WireRequest:
        self.check(message, key)
        recipients = _addresses(message.to)
        payload: dict[str, Any] = {
            "to": recipients if len(recipients) > 1 else recipients[0],
            "cc": _addresses(message.cc),
            "bcc": _addresses(message.bcc),
            "from": str(message.from_email or ""),
            "replyTo": str(message.reply_to[0]) if message.reply_to else "",
            "headers": _headers(message),
            "attachments": [
                attachment_fields(file, content_type="contentType", content_id="contentId")
                for file in message.attachments
            ],
            **_escape_placeholders(message),
        }
        if message.category == "marketing":
            payload["emailType"] = "marketing"
        if message.sensitive:
            payload["trackingSettings"] = {"clickTracking": False, "openTracking": False}
        body = json.dumps(without_empty(payload)).encode()
        return WireRequest(path="/transactional/send", body=body, headers={"Idempotency-Key": key})

    def call(self, request: WireRequest) -> Answer:
        # Sequenzy's SDK: the body of a 2xx has a `success`, too.
        answer = super().call(request)
        if answer.get("success") is False:
            raise InvalidMessage(self.describe(answer), answer.status, provider=self.name)
        return answer

    def receipt(self, answer: Answer) -> Receipt:
        # docs.sequenzy.com: webhooks carry `emailSendId`; `jobId` is a legacy queue id.
        message_id = answer.get("emailSendId") or answer.get("jobId")
        ignored = answer.get("ignoredHeaders")
        notes = tuple(
            f"header not applied: {item.get('name')}"
            for item in (ignored if isinstance(ignored, list) else ())
            if isinstance(item, dict)
        )
        return Receipt(provider=self.name, message_id=message_id, status=answer.status, notes=notes)

    def error_message(self, answer: Answer) -> str:
        error = answer.get("error")
        if isinstance(error, dict):
            error = ": ".join(str(error[part]) for part in ("code", "message") if error.get(part))
        parts = (error, answer.get("message"), answer.get("title"), answer.get("description"))
        return next((str(part) for part in parts if part), "")

    def error_by_body(self, answer: Answer, text: str) -> EmailSendError | None:
        # Sequenzy's SDK: 409 is a key that was used with other content; `retryable` outranks 503.
        if answer.status == 409:
            return InvalidMessage(f"idempotency_mismatch: {text}", 409, provider=self.name)
        if answer.status == 503 and answer.get("retryable") is False:
            return ProviderUnavailable(text, 503, retryable=False, provider=self.name)
        return None

    def key_error(self, answer: Answer) -> EmailSendError | None:
        """The account names the scopes that a key lacks; a key that may not even ask is valid."""
        message = self.error_message(answer).lower()
        if answer.status == 403 and "missing required scopes" in message:
            return self.error(answer) if SEND_SCOPE in message else None
        rights = answer.get("apiKeyPermissions")
        if answer.status == 200 and isinstance(rights, dict) and _cannot_send(rights):
            text = f"{self.name} takes the key, but it lacks the scope {SEND_SCOPE}"
            return AuthenticationFailed(text, 200, provider=self.name)
        return super().key_error(answer)

    def retry_after(self, answer: Answer) -> float | None:
        return super().retry_after(answer) or seconds_until(answer.headers.get("X-RateLimit-Reset"))


def _cannot_send(rights: dict[str, Any]) -> bool:
    # The role of a personal key's owner can forbid what the key itself allows.
    lacking = [rights.get(name) for name in ("missingLiveDeliveryScopes", "roleRestrictedScopes")]
    named = any(isinstance(scopes, list) and SEND_SCOPE in scopes for scopes in lacking)
    return named or rights.get("liveDeliveryBlockedByRole") is True


def _addresses(addresses: tuple[Address, ...]) -> list[str]:
    return [address.email for address in addresses]


def _headers(message: EmailMessage) -> dict[str, str]:
    # Sequenzy's SDK: emailType marketing adds a List-Unsubscribe pair; nobody needs two ways out.
    own = ("list-unsubscribe", "list-unsubscribe-post") if message.category == "marketing" else ()
    return {name: value for name, value in message.headers.items() if name.lower() not in own}


def _escape_placeholders(message: EmailMessage) -> dict[str, Any]:
    # Sequenzy's SDK: {{placeholders}} in subject and body are replaced by `variables`, a missing
    # one by nothing, and `body` is HTML. An entity keeps a typed "{{" in HTML;
    # a subject knows no entities, so a variable whose value is "{{" brings it back.
    body = message.html or escape(message.text).replace("\n", "<br>\n")
    return {
        "subject": message.subject.replace("{{", "{{open_braces}}"),
        "body": body.replace("{{", "&#123;&#123;"),
        "variables": {"open_braces": "{{"} if "{{" in message.subject else {},
    }
