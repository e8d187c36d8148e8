"""Sequenzy's subscribers, tags and events, as its SDK has them."""

import re
from collections.abc import Iterable
from typing import Any

from tools.simulator.checks import is_address
from tools.simulator.contacts import Book, Contact, ContactRoute
from tools.simulator.exchange import Refused, Reply, Request, json_reply
from tools.simulator.sequenzy import refusal

MAX_BULK = 500  # subscribers

_STRATEGIES = ("skip", "merge", "overwrite")
_STATUSES = ("active", "unsubscribed", "bounced")


def create(request: Request, book: Book) -> Reply:
    """`POST /subscribers`: an existing one is skipped, filled up or overwritten, always a yes."""
    fields = _fields(request, tags=list, customAttributes=dict, lists=list)
    strategy = _one_of(fields, "duplicateStrategy", _STRATEGIES)
    status = _one_of(fields, "status", _STATUSES)
    contact, created = book.take(_email(fields))
    if created or strategy == "overwrite":
        _set(contact, {"firstName": "", "lastName": "", "tags": [], "customAttributes": {}})
        _set(contact, fields)
    elif strategy == "merge":
        _fill(contact, fields)
    if status == "unsubscribed" and (created or strategy == "overwrite"):
        book.unsubscribe(contact.email)
    told = {
        "created": created,
        "updated": not created and strategy in ("merge", "overwrite"),
        "skipped": not created and strategy not in ("merge", "overwrite"),
    }
    return _yes(subscriber=_subscriber(contact, book) | told)


def update(request: Request, book: Book, email: str) -> Reply:
    """`PATCH /subscribers/{email}`: attributes are replaced unless told to merge."""
    fields = _fields(request, tags=list, customAttributes=dict)
    status = _one_of(fields, "status", ("active", "unsubscribed", "complained"))
    contact = book.find(email)
    if contact is None:
        raise Refused(refusal("404"))
    if _one_of(fields, "customAttributesStrategy", ("replace", "merge")) == "merge":
        fields["customAttributes"] = contact.attributes | fields.get("customAttributes", {})
    _set(contact, fields)
    if status in ("unsubscribed", "complained"):
        book.unsubscribe(contact.email)
    return _yes(subscriber=_subscriber(contact, book))


def add_tag(request: Request, book: Book) -> Reply:
    """`POST /subscribers/tags`: makes the subscriber if there is none."""
    fields = _fields(request, tag=str)
    contact, created = book.take(_email(fields))
    tag = _tag(_required(fields, "tag"))
    contact.tag([tag])
    subscriber = _subscriber(contact, book) | {"created": created}
    return _yes(subscriber=subscriber, tag={"name": tag, "added": True})


def add_tags(request: Request, book: Book) -> Reply:
    """`POST /subscribers/tags/bulk`: several for one."""
    fields = _fields(request, tags=list)
    contact, created = book.take(_email(fields))
    contact.tag(_tags(_required(fields, "tags")))
    return _yes(subscriber=_subscriber(contact, book) | {"created": created})


def remove_tag(request: Request, book: Book) -> Reply:
    """`POST /subscribers/tags/remove`: makes the subscriber, too, without the tag."""
    fields = _fields(request, tag=str)
    contact, created = book.take(_email(fields))
    tag = _tag(_required(fields, "tag"))
    told = {"name": tag, "removed": contact.untag([tag])}
    return _yes(subscriber=_subscriber(contact, book) | {"created": created}, tag=told)


def remove_tags(request: Request, book: Book) -> Reply:
    """`POST /subscribers/bulk/tags/remove`: from those that exist; nobody is made."""
    fields = _fields(request, emails=list, tags=list)
    emails, tags = _required(fields, "emails"), _tags(_required(fields, "tags"))
    if len(emails) > MAX_BULK:
        raise _refused("emails", f"at most {MAX_BULK} subscribers")
    found = [contact for contact in map(book.find, emails) if contact]
    changed = [contact.untag(tags) for contact in found]
    return _yes(
        requested=len(emails),
        matched=len(found),
        updated=sum(changed),
        unchanged=len(found) - sum(changed),
        failed=0,
        tags=tags,
        notFound={"emails": [email for email in emails if not book.find(email)]},
    )


def record_event(request: Request, book: Book) -> Reply:
    """`POST /subscribers/events`: once for an `eventId`, contact and name."""
    fields = _fields(request, event=str, eventId=str, properties=dict)
    contact, _ = book.take(_email(fields))
    event = {
        "email": contact.email,
        "event": _required(fields, "event"),
        "key": fields.get("eventId"),
        "properties": fields.get("properties", {}),
    }
    same = [old for old in book.events if _identity(old) == _identity(event)]
    duplicate = bool(event["key"] and same)
    if not duplicate:
        book.events.append(event)
    told = {"duplicate": True} if duplicate else {}
    subscriber = _subscriber(contact, book)
    return _yes(subscriber=subscriber, event={"name": event["event"]}, **told)


def _identity(event: dict[str, Any]) -> tuple[Any, ...]:
    return event["email"], event["event"], event["key"]


def _yes(**told: Any) -> Reply:
    return json_reply(200, {"success": True, **told})


def _refused(path: str, message: str) -> Refused:
    issue = {"path": path, "message": message}
    body = {"success": False, "error": message, "retryable": False, "issues": [issue]}
    return Refused(json_reply(400, body))


def _fields(request: Request, **types: type) -> dict[str, Any]:
    """The JSON object of a request; a field of another type is refused as 422."""
    fields = request.json
    if not isinstance(fields, dict):
        raise _refused("", "The body is not a JSON object.")
    expected = {"email": str, "firstName": str, "lastName": str, **types}
    for name, kind in expected.items():
        if name in fields and not _is(kind, fields[name]):
            words = f"Expected {kind.__name__}"
            body = {"type": "validation", "on": "body", "property": f"/{name}", "message": words}
            raise Refused(json_reply(422, body))
    return dict(fields)


def _is(kind: type, value: Any) -> bool:
    whole = isinstance(value, kind)
    return whole and (kind is not list or all(isinstance(item, str) for item in value))


def _required(fields: dict[str, Any], name: str) -> Any:
    if not fields.get(name):
        raise _refused(name, f"{name} is required")
    return fields[name]


def _email(fields: dict[str, Any]) -> str:
    email = _required(fields, "email")
    if not is_address(email):
        raise _refused("email", "email is not valid")
    return str(email)


def _one_of(fields: dict[str, Any], name: str, allowed: tuple[str, ...]) -> Any:
    if name in fields and fields[name] not in allowed:
        raise _refused(name, f"{name} is one of {', '.join(allowed)}")
    return fields.get(name)


def _tag(name: str) -> str:
    return re.sub(r"[^a-z0-9-]", "", re.sub(r"[\s_]+", "-", name.strip().lower()))


def _tags(names: Iterable[str]) -> list[str]:
    return [_tag(str(name)) for name in names]


def _set(contact: Contact, fields: dict[str, Any]) -> None:
    contact.first_name = fields.get("firstName", contact.first_name)
    contact.last_name = fields.get("lastName", contact.last_name)
    contact.attributes = dict(fields.get("customAttributes", contact.attributes))
    contact.tags = _tags(fields.get("tags", contact.tags))


def _fill(contact: Contact, fields: dict[str, Any]) -> None:
    # Only what is missing; a value that is there stays.
    contact.first_name = contact.first_name or fields.get("firstName", "")
    contact.last_name = contact.last_name or fields.get("lastName", "")
    contact.attributes = fields.get("customAttributes", {}) | contact.attributes
    contact.tags = contact.tags or _tags(fields.get("tags", []))


def _subscriber(contact: Contact, book: Book) -> dict[str, Any]:
    return {
        "id": contact.id,
        "email": contact.email,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "customAttributes": contact.attributes,
        "tags": contact.tags,
        "status": "unsubscribed" if contact.email in book.unsubscribed else "active",
    }


_BASE = "/(?:api/)?v1/subscribers"
ROUTES: dict[tuple[str, str], ContactRoute] = {
    ("POST", _BASE): create,
    ("PATCH", f"{_BASE}/(.+)"): update,
    ("POST", f"{_BASE}/tags"): add_tag,
    ("POST", f"{_BASE}/tags/bulk"): add_tags,
    ("POST", f"{_BASE}/tags/remove"): remove_tag,
    ("POST", f"{_BASE}/bulk/tags/remove"): remove_tags,
    ("POST", f"{_BASE}/events"): record_event,
}
