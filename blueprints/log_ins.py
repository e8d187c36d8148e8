"""Who may log in: the password, and how often it may be guessed.

An account bears 20 failures an hour, whether or not anybody has it. A browser that it let in before
has a count of its own, so that no stranger can lock the owner out.
"""

import logging

from sqlalchemy import update
from sqlalchemy.orm import Session

from blueprints import devices, passwords
from blueprints.answers import find_user
from database import Limit, address_hash, changed_rows, db, limits, transaction
from models import User

logger = logging.getLogger(__name__)

MOST_FAILURES = 20  # an hour


def authenticate(address: str, password: str) -> User | None:
    """Whose address and password these are; None if they do not fit, or were wrong too often.

    Nobody can tell one from the other, nor whether there is such an account: the same statements
    and one hashing in each case.
    """
    user = find_user(db.session(), address)
    stored = user.password_hash if user else None
    db.session.close()  # hashing takes long, and nobody waits for our connection
    failure = _count_as_failure(address)
    fits = passwords.matches(stored, password)
    if not failure:
        note("log_in_locked", address, logging.WARNING)
        return None
    if not (user and stored and fits):
        note("log_in_failed", address)
        return None
    renewed = passwords.hash_password(password) if passwords.is_outdated(stored) else stored
    with transaction() as session:
        limits.take_back(session, failure)
        if renewed != stored:
            _replace_hash(session, user, renewed)
    note("logged_in", address)
    return user


def note(what: str, address: str, level: int = logging.INFO) -> None:
    """Log what happened to an account, under a part of the hash of its address."""
    account = _account(db.session(), address)[:12]
    logger.log(level, "account %s account=%s", what, account, extra={"event": what})


def remember_device(address: str) -> None:
    """Let this browser have a count of its own for the account, from the answer on."""
    devices.remember(_account(db.session(), address))


def _count_as_failure(address: str) -> list[str]:
    """One failure more, for a success to take back; empty where there were too many.

    It counts before the password is looked at, or many at once would all be the first.
    """
    with transaction() as session:
        account = _account(session, address)
        whom = f"{account} {devices.device_of(account)}"
        limit = Limit("failed log-ins", whom, MOST_FAILURES)
        return [] if limits.used_up(session, limit) else limits.use(session, limit)


def _replace_hash(session: Session, user: User, renewed: str) -> None:
    unchanged = (User.id == user.id, User.password_hash == user.password_hash)
    if changed_rows(session, update(User).where(*unchanged).values(password_hash=renewed)):
        user.password_hash = renewed


def _account(session: Session, address: str) -> str:
    return address_hash(session, "account")(address)
