"""Stripe's scheme: `Stripe-Signature: t=…,v1=…`, one HMAC-SHA256 over `t.body`."""

from random import Random
from typing import Any

from tools.fuzz.mutations import FORGERIES, TRUE, Changes, Draft, Mutation, letters, mutation, stale
from tools.provider_events import stripe_digest
from tools.site import SECRETS
from tools.wire import Header

NEW, OLD = SECRETS


class StripeDraft(Draft):
    """The time stands in the header of the signature."""

    scheme = "stripe"

    def event(self) -> Any:
        amounts = [self.chance.random() for _ in range(9)]
        data = {"object": {"description": letters(self.chance), "amounts": amounts}}
        return {"id": f"evt_{self.marker}", "type": "customer.created", "data": data}

    def code(self, secret: str) -> str:
        return stripe_digest(self.body, self.t, {"new": NEW, "old": OLD}.get(secret, secret))

    def signed(self, secret: str) -> str:
        return f"t={self.t},v1={self.code(secret)}"

    def headers(self) -> list[Header]:
        return [("Stripe-Signature", self.signature)]


def _among_others(draft: StripeDraft) -> None:
    items = [f"v1={draft.code('new')}", f"t={draft.t}", f"v0={draft.code('x')}", "x", "", "v2=ä"]
    items += [f"v1={draft.code(draft.foreign())}" for _ in range(draft.chance.randint(0, 20))]
    draft.chance.shuffle(items)
    draft.signature = ",".join(items)


def _digit_of_signature(draft: StripeDraft) -> None:
    good, at = draft.code("new"), draft.chance.randrange(64)
    digit = draft.chance.choice([each for each in "0123456789abcdef" if each != good[at]])
    draft.signature = f"t={draft.t},v1={good[:at]}{digit}{good[at + 1 :]}"


def _time_twice(draft: StripeDraft) -> None:
    items = [f"v1={draft.code('new')}", f"t={draft.t}"]
    items.append(f"t={draft.chance.choice([draft.t, 0, ''])}")
    draft.chance.shuffle(items)
    draft.signature = ",".join(items)


def _time_in_header_moved(draft: StripeDraft) -> None:
    moved = int(draft.t) + draft.chance.choice([-1, 1]) * draft.chance.randint(1, 10)
    draft.signature = f"t={moved},v1={draft.code('new')}"


def _scheme_renamed(draft: StripeDraft) -> None:
    name = draft.chance.choice(["v0", "v2", "V1", "v01", "v11", " v1", "v1 ", "v", ""])
    draft.signature = f"t={draft.t},{name}={draft.code('new')}"


class StripeScheme:
    """What the fuzzer posts to Stripe's webhook."""

    name = "stripe"
    path = "/api/webhooks/stripe"

    CHANGES: Changes = (
        *TRUE,
        *(each for each in FORGERIES if each[0].__name__ != "time_moved"),
        (_time_in_header_moved, False),
        (_among_others, True),
        (_digit_of_signature, False),
        (_time_twice, False),
        (_scheme_renamed, False),
        (stale, False),
    )

    def mutate(self, chance: Random) -> Mutation:
        """One of the changes above."""
        return mutation(StripeDraft(chance), self.CHANGES)
