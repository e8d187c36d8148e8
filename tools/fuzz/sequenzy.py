"""Sequenzy's scheme: `v1=…` in hex or base64, one HMAC-SHA256 over `v1:time:body`."""

import base64
from random import Random
from typing import Any

from tools.fuzz.mutations import FORGERIES, TRUE, Changes, Draft, Mutation, letters, mutation, stale
from tools.provider_events import SEQUENZY_SECRETS, sequenzy_digest, sequenzy_event
from tools.wire import Header

KINDS = ("email.delivered", "email.bounced", "email.failed", "subscriber.unsubscribed", "sms.sent")


class SequenzyDraft(Draft):
    """The signature is written in either way, as chance has it."""

    scheme = "sequenzy"

    def event(self) -> Any:
        event = sequenzy_event(
            self.chance.choice(KINDS), f"es_{self.marker}", subject=letters(self.chance),
            recipient=f"{self.marker}@example.com", bounce_reason="550 5.1.1 no such user",
            failure={"code": "REJECTED", "message": letters(self.chance)},
        )  # fmt: skip
        return event | {"id": f"evt_{self.marker}"}

    def signed(self, secret: str) -> str:
        known = dict(zip(("new", "old"), SEQUENZY_SECRETS, strict=True))
        digest = sequenzy_digest(self.body, self.t, known.get(secret, secret))
        in_hex = self.chance.random() < 0.5
        return f"v1={digest.hex() if in_hex else base64.b64encode(digest).decode()}"

    def headers(self) -> list[Header]:
        return [("X-Sequenzy-Timestamp", self.t), ("X-Sequenzy-Signature", self.signature)]


def _among_others(draft: SequenzyDraft) -> None:
    items = [draft.signed(draft.foreign()) for _ in range(draft.chance.randint(0, 20))]
    items += [draft.signed("new"), "v0=1", "v2=ä", "x", "", "v1="]
    draft.chance.shuffle(items)
    draft.signature = draft.chance.choice([",", ", "]).join(items)


def _version_renamed(draft: SequenzyDraft) -> None:
    version = draft.chance.choice(["v0", "v2", "V1", "v11", "v1 ", "v", ""])
    draft.signature = f"{version}={draft.signed('new').partition('=')[2]}"


class SequenzyScheme:
    """What the fuzzer posts to Sequenzy's webhook."""

    name = "sequenzy"
    path = "/api/webhooks/sequenzy"

    CHANGES: Changes = (
        *TRUE,
        *FORGERIES,
        (_among_others, True),
        (_version_renamed, False),
        (stale, False),
    )

    def mutate(self, chance: Random) -> Mutation:
        """One of the changes above."""
        return mutation(SequenzyDraft(chance), self.CHANGES)
