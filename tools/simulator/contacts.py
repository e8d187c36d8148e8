"""The marketing side in memory: for each vendor who its contacts are, and what it was told."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tools.simulator.checks import as_list, text
from tools.simulator.exchange import Reply, Request, Route
from tools.simulator.ledger import Ledger

_IN_PATH = re.compile(r".*/(?:contacts|subscribers)/([^@]+@[^/]+).*")


@dataclass
class Contact:
    """One person. `tags` are names or ids, as the vendor keeps them."""

    email: str
    id: str = field(default_factory=lambda: str(uuid4()))
    first_name: str = ""
    last_name: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)

    def tag(self, names: list[str]) -> None:
        self.tags = list(dict.fromkeys(self.tags + names))

    def untag(self, names: list[str]) -> bool:
        """Whether one of them was there."""
        before = self.tags
        self.tags = [name for name in before if name not in names]
        return self.tags != before


@dataclass
class Book:
    """All that one vendor keeps. `groups` are its lists or segments, name by id, in order of
    creation; `fields` the definitions of attributes, by id. `lock` is held during each request."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    unsubscribed: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def find(self, email_or_id: str) -> Contact | None:
        by_id = (each for each in self.contacts.values() if each.id == email_or_id)
        return self.contacts.get(email_or_id.lower()) or next(by_id, None)

    def take(self, email: str) -> tuple[Contact, bool]:
        """The contact of this address, and whether it is a new one."""
        found = self.find(email)
        contact = found or Contact(email.lower())
        self.contacts[contact.email] = contact
        return contact, found is None

    def unsubscribe(self, email: str) -> None:
        if email.lower() not in self.unsubscribed:
            self.unsubscribed.append(email.lower())

    def view(self) -> dict[str, Any]:
        """Everything as JSON, groups and fields by their names."""
        with self.lock:
            return {
                "contacts": [self._shown(contact) for contact in self.contacts.values()],
                "unsubscribed": list(self.unsubscribed),
                "events": list(self.events),
                "groups": list(self.groups.values()),
                "fields": [str(each["name"]) for each in self.fields.values()],
            }

    def _shown(self, contact: Contact) -> dict[str, Any]:
        attributes = {
            str(self.fields[key]["name"]) if key in self.fields else key: value
            for key, value in contact.attributes.items()
        }
        return {
            "id": contact.id,
            "email": contact.email,
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "attributes": attributes,
            "tags": [self.groups.get(tag, tag) for tag in contact.tags],
        }


ContactRoute = Callable[..., Reply]
"""A function of a request, a book, and the groups of the path's pattern; raises `Refused`."""


class Books:
    """The book of each vendor."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._lock = threading.Lock()

    def of(self, provider: str) -> Book:
        with self._lock:
            return self._books.setdefault(provider, Book())

    def view(self) -> dict[str, Any]:
        with self._lock:
            books = dict(self._books)
        return {provider: book.view() for provider, book in books.items()}

    def clear(self) -> None:
        with self._lock:
            self._books = {}

    def routes(
        self, provider: str, table: Mapping[tuple[str, str], ContactRoute], path: str
    ) -> dict[str, Route]:
        """The functions of `table` for this path, by their method."""
        return {
            method: self._bound(provider, route, match.groups())
            for (method, pattern), route in table.items()
            if (match := re.fullmatch(pattern, path))
        }

    def _bound(self, provider: str, route: ContactRoute, parts: tuple[str, ...]) -> Route:
        def reply(request: Request, _: Ledger) -> Reply:
            book = self.of(provider)
            with book.lock:
                return route(request, book, *parts)

        return reply


def first_address(request: Request) -> str:
    """Whom a request is about: an address in its JSON or its path; "" if there is none."""
    payload = request.json if isinstance(request.json, dict) else {}
    people = as_list(payload.get("contacts"))
    told = [
        payload.get("email"),
        *as_list(payload.get("emails")),
        *as_list(payload.get("recipient_emails")),
        *(person.get("email") for person in people if isinstance(person, dict)),
    ]
    in_path = _IN_PATH.fullmatch(request.path)
    return next((text(each) for each in told if text(each)), in_path[1] if in_path else "")
