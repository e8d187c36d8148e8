"""The provider for development: accepts every email and sends none. The page /inbox shows them."""

import json

from attrs import asdict

from message import EmailMessage
from providers.base import Capabilities, Provider, Receipt, WireRequest
from providers.changes import SubscriberChange


class Inbox(Provider):
    """Nothing leaves the machine; the outbox row itself is what the inbox page shows."""

    name = "inbox"
    delivers = False
    capabilities = Capabilities(
        max_recipients=1000,
        max_reply_to=1000,
        max_attachments=None,
        max_bytes=40 * 1024 * 1024,
        idempotency_window=24 * 3600,
    )

    def build(self, message: EmailMessage, key: str) -> WireRequest:
        self.check(message, key)
        people = {"to": [asdict(address) for address in message.to], "subject": message.subject}
        return WireRequest(
            path="", body=json.dumps(people).encode(), headers={"Idempotency-Key": key}
        )

    def post(self, request: WireRequest) -> Receipt:
        key = request.headers["Idempotency-Key"]
        return Receipt(provider=self.name, message_id=f"inbox-{key}", status=200)

    def check_change(self, change: SubscriberChange) -> None:
        """Everything is possible here."""

    def change_subscriber(self, change: SubscriberChange, key: str) -> Receipt:
        return Receipt(provider=self.name, message_id=f"inbox-{key}", status=200)
