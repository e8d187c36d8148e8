"""Resend's scheme, which is Svix's: three headers, one HMAC-SHA256 over `id.time.body`."""

from random import Random
from typing import Any

from message import new_id
from tools.fuzz.mutations import FORGERIES, TRUE, Changes, Draft, Mutation, letters, mutation, stale
from tools.provider_events import RESEND_SECRETS, resend_event, svix_signature
from tools.wire import Header

KINDS = ("email.sent", "email.bounced", "email.complained", "email.clicked", "email.unheard_of")


class SvixDraft(Draft):
    """The id of the event is signed with the body, in a header of its own."""

    scheme = "resend"

    def event(self) -> Any:
        self.message_id = f"msg_{self.marker}"
        address = f"{self.marker}@example.com"
        if self.chance.random() < 0.1:
            data = {"email": address, "unsubscribed": True, "first_name": letters(self.chance)}
            return {"type": "contact.updated", "data": data}
        return resend_event(
            self.chance.choice(KINDS), new_id(), to=[address], subject=letters(self.chance),
            bounce={"type": "Permanent", "message": "550 5.1.1", "diagnosticCode": ["smtp; 550"]},
            click={"link": "https://example.com/", "timestamp": "2026-08-01T10:00:00.000Z"},
        )  # fmt: skip

    def signed(self, secret: str) -> str:
        known = dict(zip(("new", "old"), RESEND_SECRETS, strict=True))
        key = known.get(secret, f"whsec_{secret.encode().hex()[:48]:A<48}")
        return svix_signature(self.body, self.message_id, self.t, key)

    def headers(self) -> list[Header]:
        return [
            ("svix-id", self.message_id),
            ("svix-timestamp", self.t),
            ("svix-signature", self.signature),
        ]


def _among_others(draft: SvixDraft) -> None:
    entries = [draft.signed(draft.foreign()) for _ in range(draft.chance.randint(0, 20))]
    entries += [draft.signed("new"), f"v1a,{draft.marker}", "v2,ä", "x", "", "v1,"]
    draft.chance.shuffle(entries)
    draft.signature = " ".join(entries)


def _version_renamed(draft: SvixDraft) -> None:
    version = draft.chance.choice(["v0", "v1a", "v2", "V1", "v11", "v", "", "1"])
    draft.signature = f"{version},{draft.signed('new').partition(',')[2]}"


def _id_changed(draft: SvixDraft) -> None:
    draft.message_id += draft.chance.choice(["x", ".", f".{draft.t}", "2"])


def _id_missing(draft: SvixDraft) -> None:
    draft.message_id = ""
    draft.sign()


class ResendScheme:
    """What the fuzzer posts to Resend's webhook."""

    name = "resend"
    path = "/api/webhooks/resend"

    CHANGES: Changes = (
        *TRUE,
        *FORGERIES,
        (_among_others, True),
        (_version_renamed, False),
        (_id_changed, False),
        (_id_missing, False),
        (stale, False),
    )

    def mutate(self, chance: Random) -> Mutation:
        """One of the changes above."""
        return mutation(SvixDraft(chance), self.CHANGES)
