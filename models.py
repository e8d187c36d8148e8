"""The tables of the product: the users, and yours. Those of the engine live in their own rooms."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from database import Base, utc_now
from message import new_id


class User(Base):
    """Somebody with an account. Without a password the account opens through the reset link."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    session_epoch: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )  # log-out counts it up
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Signup(Base):
    """Somebody who asked for an account: a `User` arises when the address is confirmed.

    Anybody may type any address, so several rows may have the same one, and nothing is done for
    them but the email that asks. The password counts only in the browser that gave it.
    """

    __tablename__ = "signups"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(320), index=True)
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


def forget_user(session: Session, user: User) -> None:
    """What `flask email forget` does with an account: yours to edit.

    Your own tables that refer to users come first here: delete their rows, or anonymise them.
    It runs in the transaction of `forget`, which commits.
    """
    session.delete(user)
