"""The salt under which addresses are hashed: made once, and kept where the hashes are.

So a new SECRET_KEY loses nobody's suppression, and web and workers agree without a setting.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from database.base import Base
from database.statements import insert_if_new


class Salt(Base):
    """The one row with the salt."""

    __tablename__ = "salts"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[str] = mapped_column(String(64))


_ADDRESSES = "addresses"
_STORED = select(Salt.value).where(Salt.name == _ADDRESSES)
_known: WeakKeyDictionary[Engine | Connection, bytes] = WeakKeyDictionary()


def address_hash(session: Session, purpose: str) -> Callable[[str], str]:
    """What turns an address, in any case, into 64 letters that stand for it and do not tell it.

    Hashes for different purposes cannot be matched with each other.
    """
    salt = _salt(session)

    def hashed(address: str) -> str:
        text = f"{purpose}:{address.lower()}".encode()
        return hmac.new(salt, text, hashlib.sha256).hexdigest()

    return hashed


def _salt(session: Session) -> bytes:
    engine = session.get_bind()
    if known := _known.get(engine):
        return known
    found = session.scalar(_STORED)
    if found is None:  # at the first use of all: two that make one at once agree on the first
        insert_if_new(session, Salt, {"name": _ADDRESSES, "value": secrets.token_hex(32)})
        session.info["made_salt"] = True
        found = session.scalars(_STORED).one()
    salt = found.encode()
    if "made_salt" not in session.info:  # which a rollback may yet take back
        _known[engine] = salt
    return salt
