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
)
from providers.http import HttpProvider, seconds_until
from providers.sequenzy_subscribers import SequenzySubscribers
from providers.sequenzy_webhook import SequenzyWebhook

SEND_SCOPE = "transactional:send"


class Sequenzy(HttpProvider):
    """Sends bare recipient addresses and HTML; there is no text part, tag or metadata to send."""

    name = "sequenzy"
    webhook = SequenzyWebhook()
    subscribers = SequenzySubscribers
    default_url = "https://api.sequenzy.com/api/v1"
    ping_path = "/account"
    # Domains that were added lately have names of their own; only the dashboard shows them.
    sender_records = SenderRecords(selectors=("sequenzy",), return_path="rp", always=False)
    capabilities = Capabilities(
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
            **_template_proof(message),
        }
        if message.category == "marketing":
            payload["emailType"] = "marketing"
        if message.sensitive:
            payload["trackingSettings"] = {"clickTracking": False, "openTracking": False}
        body = json.dumps({name: value for name, value in payload.items() if value}).encode()
        return WireRequest(path="/transactional/send", body=body, headers={"Idempotency-Key": key})

    def call(self, request: WireRequest) -> Answer:
        answer = super().call(request)
        if answer.get("success") is False:
            raise InvalidMessage(self.explanation(answer), answer.status, provider=self.name)
        return answer

    def receipt(self, answer: Answer) -> Receipt:
        # `emailSendId` is the id its webhooks carry; `jobId` is an older queue id.
        message_id = answer.get("emailSendId") or answer.get("jobId")
        ignored = answer.get("ignoredHeaders")
        notes = tuple(
            f"header not applied: {item.get('name')}"
            for item in (ignored if isinstance(ignored, list) else ())
            if isinstance(item, dict)
        )
        return Receipt(provider=self.name, message_id=message_id, status=answer.status, notes=notes)

    def words(self, answer: Answer) -> str:
        error = answer.get("error")
        if isinstance(error, dict):
            error = ": ".join(str(error[part]) for part in ("code", "message") if error.get(part))
        parts = (error, answer.get("message"), answer.get("title"), answer.get("description"))
        return next((str(part) for part in parts if part), "")

    def refusal(self, answer: Answer, words: str) -> EmailSendError | None:
        if answer.status == 409:
            return InvalidMessage(f"idempotency_mismatch: {words}", 409, provider=self.name)
        if answer.status == 503 and answer.get("retryable") is False:
            return ProviderUnavailable(words, 503, retryable=False, provider=self.name)
        return None

    def key_trouble(self, answer: Answer) -> EmailSendError | None:
        """The account names the scopes that a key lacks; a key that may not even ask is valid."""
        words = self.words(answer).lower()
        if answer.status == 403 and "missing required scopes" in words:
            return self.error(answer) if SEND_SCOPE in words else None
        rights = answer.get("apiKeyPermissions")
        if answer.status == 200 and isinstance(rights, dict) and _cannot_send(rights):
            text = f"{self.name} takes the key, but it lacks the scope {SEND_SCOPE}"
            return AuthenticationFailed(text, 200, provider=self.name)
        return super().key_trouble(answer)

    def wait(self, answer: Answer) -> float | None:
        return super().wait(answer) or seconds_until(answer.headers.get("X-RateLimit-Reset"))


def _cannot_send(rights: dict[str, Any]) -> bool:
    # The role of a personal key's owner can forbid what the key itself allows.
    lacking = [rights.get(name) for name in ("missingLiveDeliveryScopes", "roleRestrictedScopes")]
    named = any(isinstance(scopes, list) and SEND_SCOPE in scopes for scopes in lacking)
    return named or rights.get("liveDeliveryBlockedByRole") is True


def _addresses(addresses: tuple[Address, ...]) -> list[str]:
    return [address.email for address in addresses]


def _headers(message: EmailMessage) -> dict[str, str]:
    # In its marketing mode Sequenzy adds its own pair; nobody needs two ways out.
    own = ("list-unsubscribe", "list-unsubscribe-post") if message.category == "marketing" else ()
    return {name: value for name, value in message.headers.items() if name.lower() not in own}


def _template_proof(message: EmailMessage) -> dict[str, Any]:
    # Sequenzy fills {{placeholders}} in subject and body. An entity keeps a typed "{{" in HTML;
    # a subject knows no entities, so a variable whose value is "{{" brings it back.
    body = message.html or escape(message.text).replace("\n", "<br>\n")
    return {
        "subject": message.subject.replace("{{", "{{open_braces}}"),
        "body": body.replace("{{", "&#123;&#123;"),
        "variables": {"open_braces": "{{"} if "{{" in message.subject else {},
    }
