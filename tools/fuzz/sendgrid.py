"""SendGrid's scheme: an ECDSA signature over time and body, with nothing between them."""

import base64
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from message import new_id
from tools.fuzz.mutations import FORGERIES, TRUE, Changes, Draft, Mutation, letters, mutation
from tools.provider_events import SENDGRID_KEYS, body_of, sendgrid_der, sendgrid_event
from tools.wire import Header

KINDS = ("processed", "bounce", "spamreport", "click", "group_unsubscribe", "account_status_change")
ODD_ITEMS: tuple[Any, ...] = (
    None,
    1,
    "x",
    [],
    {},
    [[]],
    {"event": 5},
    {"event": "open"},
    {"event": "\0\ud800"},
)


class SendGridDraft(Draft):
    """A list of events. The provider's signature is a new one each time."""

    scheme = "sendgrid"

    def event(self) -> Any:
        return [self._one(number) for number in range(self.chance.randint(1, 5))]

    def _one(self, number: int) -> dict[str, Any]:
        return sendgrid_event(
            self.chance.choice(KINDS), new_id(), email=f"{self.marker}@example.com",
            timestamp=1_785_578_400 + number, reason=letters(self.chance), type="blocked",
            status="4.2.2", url="https://example.com/", sg_event_id=f"{self.marker}-{number}",
        )  # fmt: skip

    def der(self, secret: str) -> bytes:
        known = dict(zip(("new", "old"), SENDGRID_KEYS, strict=True))
        seed = int.from_bytes(secret.encode()[-20:], "big")
        return sendgrid_der(
            self.body, self.t, known.get(secret) or ec.derive_private_key(seed, ec.SECP256R1())
        )

    def signed(self, secret: str) -> str:
        return base64.b64encode(self.der(secret)).decode()

    def headers(self) -> list[Header]:
        return [
            ("X-Twilio-Email-Event-Webhook-Timestamp", self.t),
            ("X-Twilio-Email-Event-Webhook-Signature", self.signature),
        ]


def _long_ago(draft: SendGridDraft) -> None:
    draft.t = str(draft.chance.randint(1, 10**10))
    draft.sign()


def _odd_items_beside(draft: SendGridDraft) -> None:
    for _ in range(draft.chance.randint(1, 5)):
        draft.value.insert(
            draft.chance.randint(0, len(draft.value)), draft.chance.choice(ODD_ITEMS)
        )
    draft.body = body_of(draft.value)
    draft.sign()


def _byte_of_der(draft: SendGridDraft) -> None:
    der = bytearray(draft.der("new"))
    der[draft.chance.randrange(len(der))] ^= draft.chance.randint(1, 255)
    draft.signature = base64.b64encode(der).decode()


def _der_longer(draft: SendGridDraft) -> None:
    draft.signature = base64.b64encode(draft.der("new") + b"\0").decode()


def _line_end_gone(draft: SendGridDraft) -> None:
    draft.body = draft.body.rstrip()


def _digit_moved_to_the_body(draft: SendGridDraft) -> None:
    draft.t, draft.body = draft.t[:-1], draft.t[-1:].encode() + draft.body


class SendGridScheme:
    """What the fuzzer posts to SendGrid's webhook. Any age is taken, for none is documented."""

    name = "sendgrid"
    path = "/api/webhooks/sendgrid"

    CHANGES: Changes = (
        *TRUE,
        *FORGERIES,
        (_long_ago, True),
        (_odd_items_beside, True),
        (_byte_of_der, False),
        (_der_longer, False),
        (_line_end_gone, False),
        (_digit_moved_to_the_body, False),
    )

    def mutate(self, chance: Random) -> Mutation:
        """One of the changes above."""
        return mutation(SendGridDraft(chance), self.CHANGES)
