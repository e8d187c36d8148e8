"""A mailbox, with or without a name; the one reader of addresses."""

import re
from collections.abc import Iterable
from email.utils import formataddr
from functools import lru_cache

from attrs import frozen
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from errors import InvalidMessage
from message.headers import one_line

_NAMED_ADDRESS = re.compile(
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"\s*|(?P<plain>[^<>"]*))<(?P<email>[^<>]+)>'
)

# Names of one's own machine and network (RFC 6761 and 6762), with which development signs up. A
# value cannot know where the app runs: forms and settings refuse them in production.
LOCAL_DOMAINS = ("test", "localhost", "local")
for _name in {*LOCAL_DOMAINS} & {*SPECIAL_USE_DOMAIN_NAMES}:
    SPECIAL_USE_DOMAIN_NAMES.remove(_name)  # the library's documented way

_NOREPLY = re.compile(r"(no|do[-._]?not)[-._]?reply(?![a-z])", re.IGNORECASE)


@frozen
class Address:
    """One mailbox: `Address("ann@example.com", "Ann")`. The domain is stored in ASCII."""

    email: str
    name: str = ""

    @classmethod
    def parse(cls, value: "str | Address", name: str = "address") -> "Address":
        """Read `ann@example.com` or `Ann <ann@example.com>`.

        Raises `InvalidMessage`, with `name` as the field, for anything but one address.
        """
        if isinstance(value, Address):
            return cls(_mailbox(value.email, name), one_line(value.name, name, 255))
        text = one_line(value, name, 600)
        if "<" not in text:
            return cls(_mailbox(text, name))
        named = _NAMED_ADDRESS.fullmatch(text.strip())
        if not named:
            raise InvalidMessage(f"{name} is not one email address", field=name)
        display = re.sub(r"\\(.)", r"\1", named["quoted"] or (named["plain"] or "").strip())
        return cls(_mailbox(named["email"], name), one_line(display, name, 255))

    @property
    def domain(self) -> str:
        return self.email.rpartition("@")[2]

    @property
    def is_local(self) -> bool:
        """Whether its domain exists on one's own machine or network only: `ann@app.test`."""
        return self.domain.lower().endswith(tuple(f".{name}" for name in LOCAL_DOMAINS))

    @property
    def is_noreply(self) -> bool:
        """Whether it says that nobody reads what is written to it: `no-reply@example.com`."""
        return bool(_NOREPLY.match(self.email))

    def __str__(self) -> str:
        """The form headers use, with the name quoted where it must be."""
        if not self.name:
            return self.email
        if self.name.isascii():
            return formataddr((self.name, self.email))
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{self.email}>'


def _mailbox(value: str, name: str) -> str:
    text = one_line(value, name, 320)
    try:
        ascii_email = _checked(text.strip())
    except EmailNotValidError as error:
        raise InvalidMessage(f"{name} is not a usable email address: {error}", field=name) from None
    if ascii_email is None:
        raise InvalidMessage(
            f"{name} has letters before the @ that providers cannot send to", field=name
        )
    return ascii_email


@lru_cache(maxsize=1024)  # a form, the message and a copy of it ask about the same address
def _checked(email: str) -> str | None:
    return validate_email(email, check_deliverability=False).ascii_email


_GMAIL = ("gmail.com", "googlemail.com")


def counted_as(email: str) -> str:
    """What an address counts as in limits: its mailbox, however it is spelt. Never send to it.

    `Ann+news@Example.com` is `ann@example.com`; at Gmail dots say nothing, and it has two names.
    """
    local, _, domain = email.lower().rpartition("@")
    mailbox = local.partition("+")[0] or local
    if domain in _GMAIL:
        mailbox, domain = mailbox.replace(".", ""), _GMAIL[0]
    return f"{mailbox}@{domain}"


AddressLike = str | Address


def parse_addresses(value: AddressLike | Iterable[AddressLike], name: str) -> tuple[Address, ...]:
    """Read one address or several, each mailbox once; raises as `Address.parse` does."""
    if not isinstance(value, Iterable | Address):
        raise InvalidMessage(f"{name} must be an address or several", field=name)
    each = [value] if isinstance(value, str | Address) else list(value)
    unique: dict[str, Address] = {}
    for one in each:
        address = Address.parse(one, name)
        unique.setdefault(address.email.lower(), address)
    return tuple(unique.values())
