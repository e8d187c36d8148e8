"""Who must not be written to, and why."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from attrs import asdict, frozen
from sqlalchemy import String, Text, UniqueConstraint, bindparam, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from database import Base, address_hash, insert_if_new, insert_new, utc_now
from extensions import email
from log_setup import mask
from message import new_id

Scope = Literal["all", "marketing"]
Stored = Mapping[str, Any]
"""A message as a row keeps it."""
RECIPIENTS = ("to", "cc", "bcc")  # fields of a stored message
FORGOTTEN = "forgotten:"  # begins what stands for an address that was forgotten


class Suppression(Base):
    """An address that must not be written to: at all, or with marketing.

    Of somebody who was forgotten `address` holds a salted hash (`database.address_hash`).
    """

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("address", "scope"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    address: Mapped[str] = mapped_column(String(320))
    scope: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


_REASONS = select(Suppression.address, Suppression.scope, Suppression.reason).where(
    Suppression.address.in_(bindparam("addresses", expanding=True))
)


class Reason(StrEnum):
    """Why we stop emails by ourselves. A person may give any other reason in words."""

    HARD_BOUNCE = "hard bounce"
    SOFT_BOUNCES = "soft bounces"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


@frozen
class NewSuppression:
    """What is to be stopped: `source` is who or what said so."""

    address: str
    scope: Scope
    reason: Reason | str
    source: str

    def row(self) -> dict[str, Any]:
        own = {"id": new_id(), "created_at": utc_now()}
        return own | asdict(self) | {"address": self.address.lower()}


def suppress(
    session: Session, address: str, scope: Scope, *, reason: Reason | str, source: str
) -> bool:
    """Stop emails to `address`; False if that was so already. `source` is who or what said so."""
    row = NewSuppression(address, scope, reason, source).row()
    return insert_if_new(session, Suppression, row)


def suppress_many(session: Session, entries: Iterable[NewSuppression]) -> int:
    """Stop emails to some hundreds of addresses, by one statement; how many were new."""
    return len(insert_new(session, Suppression, [each.row() for each in entries]))


def lift(session: Session, address: str, scope: Scope | None = None) -> bool:
    """Allow emails to `address` again, all or those of `scope`; False if none were stopped."""
    forms = _forms(session, [address])
    statement = delete(Suppression).where(Suppression.address.in_(list(forms)))
    if scope:
        statement = statement.where(Suppression.scope == scope)
    return session.execute(statement.returning(Suppression.id)).first() is not None


def every_suppression(session: Session) -> Sequence[Suppression]:
    """All of them, the newest first."""
    return session.scalars(select(Suppression).order_by(Suppression.created_at.desc())).all()


def forget(session: Session, address: str) -> int:
    """Keep the suppressions of `address` without the address; how many there were."""
    named = select(Suppression).where(Suppression.address == address.lower())
    rows = session.scalars(named).all()
    forgotten = FORGOTTEN + address_hash(session, "suppression")(address)
    for row in rows:
        kept = Suppression.__table__.columns.keys()
        values = {name: getattr(row, name) for name in kept}
        values |= {"id": new_id(), "address": forgotten}
        insert_if_new(session, Suppression, values)
        session.delete(row)
    session.flush()
    return len(rows)


@frozen
class Suppressed:
    """The suppressions of some addresses, by address and scope."""

    reasons: Mapping[tuple[str, str], str]

    def filter(self, stored: Stored, category: str) -> tuple[dict[str, Any], str]:
        """The message without those whom it must not reach, and who they are and why.

        The text is empty if there are none; nobody is left to write to if `to` is empty then.
        """
        refused = self.among(addresses_of(stored), category)
        if not refused:
            return dict(stored), ""
        allowed = {
            name: [each for each in stored.get(name, []) if each["email"] not in refused]
            for name in RECIPIENTS
        }
        return {**stored, **allowed}, told(refused)

    def among(self, addresses: Iterable[str], category: str) -> dict[str, str]:
        """Those of `addresses` that must not get an email of `category`, and why."""
        reasons = ((each, self._reason(each, category)) for each in addresses)
        return {each: why for each, why in reasons if why}

    def _reason(self, address: str, category: str) -> str | None:
        both = ((address.lower(), "all"), (address.lower(), category))
        return next((self.reasons[each] for each in both if each in self.reasons), None)


def told(refused: Mapping[str, str]) -> str:
    """Who is left out and why, for the record."""
    return "; ".join(f"{mask(address)}: {why}" for address, why in refused.items())


def suppressed(session: Session, addresses: Iterable[str]) -> Suppressed:
    """What is known about `addresses`, people who were forgotten included.

    Whom EMAIL_ALLOWED does not name counts as suppressed.
    """
    meant = _forms(session, addresses)
    if not meant:
        return Suppressed({})
    rows = session.connection().execute(_REASONS, {"addresses": list(meant)})
    reasons = {(meant[address], scope): reason for address, scope, reason in rows}
    others = {(each, "all"): why for each in {*meant.values()} if (why := email.refusal(each))}
    return Suppressed(reasons | others)


def addresses_of(stored: Stored) -> list[str]:
    """Everybody a stored message is to, in copy included."""
    return [each["email"] for name in RECIPIENTS for each in stored.get(name, [])]


def _forms(session: Session, addresses: Iterable[str]) -> dict[str, str]:
    """The addresses by what may stand for them: themselves, or their hashes."""
    hashed = address_hash(session, "suppression")
    return {
        form: each.lower()
        for each in addresses
        for form in (each.lower(), FORGOTTEN + hashed(each))
    }
