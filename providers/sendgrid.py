"""SendGrid: `POST /v3/mail/send` (Twilio's docs and OpenAPI). It honours no idempotency key."""

import json
from typing import Any

from errors import AuthenticationFailed, EmailSendError, QuotaExceeded
from message import Address, Attachment, EmailMessage
from providers.base import (
    Answer,
    Capabilities,
    Receipt,
    SenderRecords,
    WireRequest,
    attachment_fields,
)
from providers.http import HttpProvider, seconds_until
from providers.sendgrid_subscribers import SendGridSubscribers
from providers.sendgrid_webhook import SendGridWebhook


class SendGrid(HttpProvider):
    """Our id travels in `custom_args`: its events are the only way to learn an unknown outcome."""

    name = "sendgrid"
    webhook = SendGridWebhook()
    subscribers = SendGridSubscribers
    default_url = "https://api.sendgrid.com"
    ping_path = "/v3/scopes"
    sender_records = SenderRecords(selectors=("s1", "s2", "m1"))  # m1 without automated security
    capabilities = Capabilities(
        max_recipients=1000,
        max_reply_to=1000,
        max_attachments=None,
        max_bytes=30 * 1024 * 1024,
        idempotency_window=0,
    )

    def build(self, message: EmailMessage, key: str) -> WireRequest:
        self.check(message, key)
        # Values must be text; the event webhook gives them back beside its own fields.
        person = {
            "to": _recipients(message.to),
            "cc": _recipients(message.cc),
            "bcc": _recipients(message.bcc),
            "custom_args": {**message.metadata, "email_id": key},
        }
        payload: dict[str, Any] = {
            "personalizations": [_filled(person)],
            "from": _person(message.from_email) if message.from_email else None,
            "subject": message.subject,
            "content": _content(message),
            "headers": dict(message.headers),
            "attachments": [_attachment(file) for file in message.attachments],
            "categories": list(message.tags),
        }
        if len(message.reply_to) == 1:
            payload["reply_to"] = _person(message.reply_to[0])
        else:
            payload["reply_to_list"] = [_person(address) for address in message.reply_to]
        if message.category == "transactional":
            # Else SendGrid would drop a receipt for somebody who unsubscribed from marketing.
            payload["mail_settings"] = {"bypass_unsubscribe_management": {"enable": True}}
        if message.sensitive:
            payload["tracking_settings"] = {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
            }
        return WireRequest(path="/v3/mail/send", body=json.dumps(_filled(payload)).encode())

    def receipt(self, answer: Answer) -> Receipt:
        message_id = answer.headers.get("X-Message-Id")
        return Receipt(provider=self.name, message_id=message_id, status=answer.status)

    def words(self, answer: Answer) -> str:
        errors = answer.get("errors")
        if not isinstance(errors, list):
            return ""
        return "; ".join(
            " ".join(str(part) for part in (item.get("field"), item.get("message")) if part)
            for item in errors
            if isinstance(item, dict)
        )

    def refusal(self, answer: Answer, words: str) -> EmailSendError | None:
        if answer.status == 401 and "credits" in words.lower():
            return QuotaExceeded(words, 401, provider=self.name)
        return None

    def key_trouble(self, answer: Answer) -> EmailSendError | None:
        """Any key may list its scopes; `mail.send` must be one of them."""
        scopes = answer.get("scopes")
        if answer.status == 200 and isinstance(scopes, list) and "mail.send" not in scopes:
            words = f"{self.name} takes the key, but it lacks the scope mail.send"
            return AuthenticationFailed(words, 200, provider=self.name)
        return super().key_trouble(answer)

    def wait(self, answer: Answer) -> float | None:
        return super().wait(answer) or seconds_until(answer.headers.get("X-RateLimit-Reset"))


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    # An empty list or value is a 400.
    return {name: value for name, value in fields.items() if value}


def _person(address: Address) -> dict[str, str]:
    return _filled({"email": address.email, "name": address.name})


def _recipients(addresses: tuple[Address, ...]) -> list[dict[str, str]]:
    # Here, unlike in the sender, a name must not hold a comma or semicolon.
    separators = str.maketrans(",;", "  ")
    return [
        _person(Address(address.email, " ".join(address.name.translate(separators).split())))
        for address in addresses
    ]


def _content(message: EmailMessage) -> list[dict[str, str]]:
    # The order is part of the contract: text before HTML.
    parts = (("text/plain", message.text), ("text/html", message.html))
    return [{"type": kind, "value": value} for kind, value in parts if value]


def _attachment(attachment: Attachment) -> dict[str, str]:
    fields = attachment_fields(attachment, content_type="type", content_id="content_id")
    return {**fields, "disposition": "inline" if attachment.content_id else "attachment"}
