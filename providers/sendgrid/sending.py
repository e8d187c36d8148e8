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
    without_empty,
)
from providers.http import HttpProvider, seconds_until
from providers.sendgrid.subscribers import SendGridSubscribers
from providers.sendgrid.webhook import SendGridWebhook


class SendGrid(HttpProvider):
    """Our id travels in `custom_args`: its events are the only way to learn an unknown outcome."""

    name = "sendgrid"
    webhook = SendGridWebhook()
    subscribers = SendGridSubscribers
    default_url = "https://api.sendgrid.com"
    key_check_path = "/v3/scopes"
    sender_records = SenderRecords(selectors=("s1", "s2", "m1"))  # m1 without automated security
    capabilities = Capabilities(
        # docs.sendgrid.com, Mail Send limitations: 1000 recipients, 30 MB. Its API knows no
        # idempotency key.
        max_recipients=1000,
        max_reply_to=1000,
        max_attachments=None,
        max_bytes=30 * 1024 * 1024,
        idempotency_window=0,
    )

    def build(self, message: EmailMessage, key: str) -> WireRequest:
        self.check(message, key)
        # Twilio's OpenAPI: values of custom_args are text. The event webhook gives them back.
        person = {
            "to": _recipients(message.to),
            "cc": _recipients(message.cc),
            "bcc": _recipients(message.bcc),
            "custom_args": {**message.metadata, "email_id": key},
        }
        payload: dict[str, Any] = {
            "personalizations": [without_empty(person)],
            "from": _person(message.from_email) if message.from_email else None,
            "subject": message.subject,
            "content": _content(message),
            "headers": dict(message.headers),
            "attachments": [_attachment(file) for file in message.attachments],
            "categories": list(message.tags),
        }
        # Twilio's OpenAPI: either reply_to or reply_to_list; both together are a 400.
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
        # Twilio's OpenAPI: lists and values have at least one item or character; else it is a 400.
        return WireRequest(path="/v3/mail/send", body=json.dumps(without_empty(payload)).encode())

    def receipt(self, answer: Answer) -> Receipt:
        # docs.sendgrid.com: the body of a 202 is empty; the id is in a header.
        message_id = answer.headers.get("X-Message-Id")
        return Receipt(provider=self.name, message_id=message_id, status=answer.status)

    def error_message(self, answer: Answer) -> str:
        errors = answer.get("errors")
        if not isinstance(errors, list):
            return ""
        return "; ".join(
            " ".join(str(part) for part in (item.get("field"), item.get("message")) if part)
            for item in errors
            if isinstance(item, dict)
        )

    def error_by_body(self, answer: Answer, text: str) -> EmailSendError | None:
        # Twilio's support: "Maximum credits exceeded" comes with the status of a bad key.
        if answer.status == 401 and "credits" in text.lower():
            return QuotaExceeded(text, 401, provider=self.name)
        return None

    def key_error(self, answer: Answer) -> EmailSendError | None:
        # Twilio's OpenAPI: any key may list its own scopes.
        scopes = answer.get("scopes")
        if answer.status == 200 and isinstance(scopes, list) and "mail.send" not in scopes:
            text = f"{self.name} takes the key, but it lacks the scope mail.send"
            return AuthenticationFailed(text, 200, provider=self.name)
        return super().key_error(answer)

    def retry_after(self, answer: Answer) -> float | None:
        # docs.sendgrid.com, Rate Limits: the reset is in unix seconds.
        return super().retry_after(answer) or seconds_until(answer.headers.get("X-RateLimit-Reset"))


def _person(address: Address) -> dict[str, str]:
    return without_empty({"email": address.email, "name": address.name})


def _recipients(addresses: tuple[Address, ...]) -> list[dict[str, str]]:
    # docs.sendgrid.com, Personalizations: the name of a recipient must not hold a comma or
    # semicolon; that of the sender may.
    separators = str.maketrans(",;", "  ")
    return [
        _person(Address(address.email, " ".join(address.name.translate(separators).split())))
        for address in addresses
    ]


def _content(message: EmailMessage) -> list[dict[str, str]]:
    # Twilio's OpenAPI: text/plain stands before text/html.
    parts = (("text/plain", message.text), ("text/html", message.html))
    return [{"type": kind, "value": value} for kind, value in parts if value]


def _attachment(attachment: Attachment) -> dict[str, str]:
    fields = attachment_fields(attachment, content_type="type", content_id="content_id")
    return {**fields, "disposition": "inline" if attachment.content_id else "attachment"}
