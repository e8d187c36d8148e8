"""Who must not be written to, and why."""

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from message import new_id
from models import Suppression, utc_now

Scope = Literal["all", "marketing"]


def suppress(session: Session, address: str, scope: Scope, *, reason: str, source: str) -> bool:
    """Stop emails to `address`; False if that was so already. `source` is who or what said so."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = {
        "id": new_id(),
        "address": address.lower(),
        "scope": scope,
        "reason": reason,
        "source": source,
        "created_at": utc_now(),
    }
    statement = dialect.insert(Suppression).values(row).on_conflict_do_nothing()
    return session.execute(statement.returning(Suppression.id)).first() is not None


def lift(session: Session, address: str) -> bool:
    """Allow emails to `address` again; False if none were stopped."""
    statement = delete(Suppression).where(Suppression.address == address.lower())
    return session.execute(statement.returning(Suppression.id)).first() is not None


def suppressed(session: Session, addresses: Iterable[str], category: str) -> dict[str, str]:
    """Which of `addresses` an email of `category` must not reach, each with its reason."""
    lowered = {address.lower() for address in addresses}
    applies = or_(Suppression.scope == "all", Suppression.scope == category)
    statement = select(Suppression.address, Suppression.reason).where(
        Suppression.address.in_(lowered), applies
    )
    return {row.address: row.reason for row in session.execute(statement)}
