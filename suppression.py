"""Who must not be written to, and why."""

from collections.abc import Iterable, Mapping
from typing import Literal

from attrs import frozen
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from extensions import insert_if_new
from message import new_id
from models import Suppression, utc_now

Scope = Literal["all", "marketing"]


def suppress(session: Session, address: str, scope: Scope, *, reason: str, source: str) -> bool:
    """Stop emails to `address`; False if that was so already. `source` is who or what said so."""
    row = {
        "id": new_id(),
        "address": address.lower(),
        "scope": scope,
        "reason": reason,
        "source": source,
        "created_at": utc_now(),
    }
    return insert_if_new(session, Suppression, row)


def lift(session: Session, address: str) -> bool:
    """Allow emails to `address` again; False if none were stopped."""
    statement = delete(Suppression).where(Suppression.address == address.lower())
    return session.execute(statement.returning(Suppression.id)).first() is not None


@frozen
class Stopped:
    """The suppressions of some addresses, by address and scope."""

    reasons: Mapping[tuple[str, str], str]

    def reason(self, address: str, category: str) -> str | None:
        """Why an email of `category` must not reach `address`; None if it may."""
        both = ((address.lower(), "all"), (address.lower(), category))
        return next((self.reasons[each] for each in both if each in self.reasons), None)


def suppressed(session: Session, addresses: Iterable[str]) -> Stopped:
    """What is known about `addresses`."""
    lowered = {address.lower() for address in addresses}
    statement = select(Suppression).where(Suppression.address.in_(lowered))
    return Stopped({(row.address, row.scope): row.reason for row in session.scalars(statement)})
