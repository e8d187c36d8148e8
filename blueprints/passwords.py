"""Passwords: hashed at OWASP's cost, and refused where they are easy to guess.

Hashing takes long on purpose: no transaction is open meanwhile.
"""

import gzip
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore

from flask import current_app
from werkzeug.security import check_password_hash, generate_password_hash

METHOD = "scrypt:131072:8:1"  # N=2^17: 128 MB and a good third of a second for each
QUICK_METHOD = "pbkdf2:sha256:1"  # with TESTING, where nobody guesses
AT_ONCE = 2  # in a process, or its threads could take 128 MB each

# Of at least 8 characters, in lower case, from the lists of Django 5.2 (BSD-3-Clause, made by Royce
# Williams from Have I Been Pwned) and zxcvbn 4.5 (MIT, Dropbox): the 10,000 commonest and more.
COMMON = Path(__file__).with_name("common-passwords.txt.gz")

_turns = BoundedSemaphore(AT_ONCE)


def hash_password(password: str) -> str:
    """What is stored of a password."""
    with _turns:
        return generate_password_hash(password, _method())


def matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one of `stored`; where there is none, False after as long."""
    nobodys = f"{_method()}$nobody$00"
    with _turns:
        return check_password_hash(stored or nobodys, password) and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether `stored` was made at another cost than passwords are today."""
    return not stored.startswith(f"{_method()}$")


def why_easy(password: str, address: str, name: str) -> str | None:
    """What is wrong with a password that others would try first; None if nothing is."""
    if password.lower() in _common():
        return "Many people use this password, so it is tried first. Choose another one."
    if any(_is_like(password, own) for own in (address, address.partition("@")[0], name)):
        return "Your name or address is easy to guess. Choose another password."
    return None


def _is_like(password: str, own: str) -> bool:
    """Whether they are the same but for case, and but for digits and signs among the letters."""
    letters = _letters(own)
    return password.lower() == own.lower() or (bool(letters) and _letters(password) == letters)


def _method() -> str:
    return QUICK_METHOD if current_app.testing else METHOD


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalpha())


@cache
def _common() -> frozenset[str]:
    return frozenset(gzip.decompress(COMMON.read_bytes()).decode().split("\n"))
