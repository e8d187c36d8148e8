"""Resend's contacts, segments, contact properties and events, as its API reference has them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from tools.simulator.checks import as_list, is_address, one_line, text
from tools.simulator.contacts import Book, Contact, ContactRoute
from tools.simulator.exchange import Refused, Reply, Request, json_reply
from tools.simulator.resend import refusal

MAX_PAGE = 100

_KEY = re.compile(r"[A-Za-z0-9_]{1,50}")


def create(request: Request, book: Book) -> Reply:
    """`POST /contacts`: 201; an existing contact is left as it is, with a yes all the same."""
    fields = _fields(request)
    email = _required(fields, "email")
    if not is_address(email):
        raise _refused(422, "validation_error", "Invalid `email` field.")
    _check(fields, book)
    segments = [_segment_id(each) for each in as_list(fields.get("segments"))]
    if not all(segment in book.groups for segment in segments):
        raise Refused(refusal("404"))
    contact, created = book.take(email)
    if created:
        _set(contact, fields, book)
        contact.tag(segments)
    return json_reply(201, {"object": "contact", "id": contact.id})


def update(request: Request, book: Book, who: str) -> Reply:
    """`PATCH /contacts/{id or email}`: what is not named stays."""
    fields = _fields(request)
    _check(fields, book)
    contact = _known(book, who)
    _set(contact, fields, book)
    return json_reply(200, {"object": "contact", "id": contact.id})


def show(_: Request, book: Book, who: str) -> Reply:
    """`GET /contacts/{id or email}`."""
    contact = _known(book, who)
    told = {
        "object": "contact",
        "id": contact.id,
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "unsubscribed": contact.email in book.unsubscribed,
    }
    return json_reply(200, told)


def add_to_segment(_: Request, book: Book, who: str, segment: str) -> Reply:
    """`POST /contacts/{id or email}/segments/{id}`: 404 if either is unknown."""
    contact = _known(book, who)
    _known_segment(book, segment)
    contact.tag([segment])
    return json_reply(200, {"id": segment})


def remove_from_segment(_: Request, book: Book, who: str, segment: str) -> Reply:
    """`DELETE` of the same: 404 also if the contact is not in the segment."""
    contact = _known(book, who)
    _known_segment(book, segment)
    if not contact.untag([segment]):
        raise Refused(refusal("404"))
    return json_reply(200, {"id": segment, "deleted": True})


def list_segments(request: Request, book: Book) -> Reply:
    """`GET /segments`: the newest first."""
    each = [
        {"id": key, "name": name, "created_at": f"2026-01-01T00:00:{number:06}Z"}
        for number, (key, name) in enumerate(book.groups.items())
    ]
    return _page(request, each[::-1])


def create_segment(request: Request, book: Book) -> Reply:
    """`POST /segments`: 201; two of one name are two."""
    name = _required(_fields(request), "name")
    if not one_line(name):
        raise _refused(422, "validation_error", "Invalid `name` field.")
    segment = str(uuid4())
    book.groups[segment] = name
    return json_reply(201, {"object": "segment", "id": segment, "name": name})


def delete_segment(_: Request, book: Book, segment: str) -> Reply:
    """`DELETE /segments/{id}`."""
    _known_segment(book, segment)
    del book.groups[segment]
    for contact in book.contacts.values():
        contact.untag([segment])
    return json_reply(200, {"object": "segment", "id": segment, "deleted": True})


def list_properties(request: Request, book: Book) -> Reply:
    """`GET /contact-properties`."""
    return _page(
        request,
        [
            {"id": each["id"], "key": key, "type": each["type"], "object": "contact_property"}
            for key, each in book.fields.items()
        ],
    )


def create_property(request: Request, book: Book) -> Reply:
    """`POST /contact-properties`: 201; a key can be defined once."""
    fields = _fields(request)
    key, kind = _required(fields, "key"), _required(fields, "type")
    if not _KEY.fullmatch(text(key)) or kind not in ("string", "number"):
        raise _refused(422, "validation_error", "Invalid `key` or `type` field.")
    if key in book.fields:
        raise _refused(422, "validation_error", f"Property `{key}` already exists.")
    book.fields[key] = {"id": str(uuid4()), "name": key, "type": kind}
    return json_reply(201, {"object": "contact_property", "id": book.fields[key]["id"]})


def delete_property(_: Request, book: Book, which: str) -> Reply:
    """`DELETE /contact-properties/{id}`."""
    key = next((key for key, each in book.fields.items() if each["id"] == which), None)
    if key is None:
        raise Refused(refusal("404"))
    del book.fields[key]
    return json_reply(200, {"object": "contact_property", "id": which, "deleted": True})


def send_event(request: Request, book: Book) -> Reply:
    """`POST /events/send`: no repeat is recognised."""
    fields = _fields(request)
    event = text(_required(fields, "event"))
    email = fields.get("email")
    if event.startswith("resend:") or not isinstance(fields.get("payload", {}), dict):
        raise _refused(422, "validation_error", "Invalid `event` or `payload` field.")
    if ("email" in fields) == ("contact_id" in fields):
        raise _refused(422, "validation_error", "Either `email` or `contact_id` is required.")
    if "email" in fields and not is_address(email):
        raise _refused(422, "validation_error", "Invalid `email` field.")
    told = {"email": email, "event": event, "key": None, "properties": fields.get("payload", {})}
    book.events.append(told)
    return json_reply(200, {"object": "event", "event": event})


def _refused(status: int, name: str, message: str) -> Refused:
    return Refused(json_reply(status, {"statusCode": status, "name": name, "message": message}))


def _fields(request: Request) -> dict[str, Any]:
    if not isinstance(request.json, dict):
        raise _refused(400, "validation_error", "The body is not a JSON object.")
    return request.json


def _required(fields: Mapping[str, Any], name: str) -> Any:
    if fields.get(name) in (None, ""):
        raise _refused(422, "missing_required_field", f"Missing `{name}` field.")
    return fields[name]


def _check(fields: Mapping[str, Any], book: Book) -> None:
    for name, kind in (("first_name", str), ("last_name", str), ("unsubscribed", bool)):
        if not isinstance(fields.get(name, kind()), kind):
            raise _refused(422, "validation_error", f"Invalid `{name}` field.")
    properties = fields.get("properties", {})
    if not isinstance(properties, dict):
        raise _refused(422, "validation_error", "Invalid `properties` field.")
    for key, value in properties.items():
        if key not in book.fields:
            raise _refused(422, "validation_error", f"Property `{key}` does not exist.")
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        fits = numeric if book.fields[key]["type"] == "number" else isinstance(value, str)
        if value is not None and not fits:
            raise _refused(422, "validation_error", f"Property `{key}` has another type.")


def _set(contact: Contact, fields: Mapping[str, Any], book: Book) -> None:
    contact.first_name = fields.get("first_name", contact.first_name)
    contact.last_name = fields.get("last_name", contact.last_name)
    values = contact.attributes | fields.get("properties", {})
    contact.attributes = {key: value for key, value in values.items() if value is not None}
    if fields.get("unsubscribed") is True:
        book.unsubscribe(contact.email)
    elif fields.get("unsubscribed") is False and contact.email in book.unsubscribed:
        book.unsubscribed.remove(contact.email)


def _known(book: Book, who: str) -> Contact:
    contact = book.find(who)
    if contact is None:
        raise Refused(refusal("404"))
    return contact


def _known_segment(book: Book, segment: str) -> None:
    if segment not in book.groups:
        raise Refused(refusal("404"))


def _segment_id(segment: Any) -> str:
    # The OpenAPI has ids here, the SDK objects with an id.
    return text(segment.get("id") if isinstance(segment, dict) else segment)


def _page(request: Request, each: Sequence[Mapping[str, Any]]) -> Reply:
    asked = request.query.get("limit", "20")
    limit = int(asked) if asked.isdecimal() else 0
    if not 1 <= limit <= MAX_PAGE:
        raise _refused(422, "validation_error", f"`limit` is 1 to {MAX_PAGE}.")
    ids = [one["id"] for one in each]
    after = request.query.get("after")
    start = ids.index(after) + 1 if after in ids else 0
    page = each[start : start + limit]
    more = start + limit < len(each)
    return json_reply(200, {"object": "list", "data": list(page), "has_more": more})


ROUTES: dict[tuple[str, str], ContactRoute] = {
    ("POST", "/contacts"): create,
    ("PATCH", "/contacts/(.+)"): update,
    ("GET", "/contacts/(.+)"): show,
    ("POST", "/contacts/(.+)/segments/([^/]+)"): add_to_segment,
    ("DELETE", "/contacts/(.+)/segments/([^/]+)"): remove_from_segment,
    ("GET", "/segments"): list_segments,
    ("POST", "/segments"): create_segment,
    ("DELETE", "/segments/([^/]+)"): delete_segment,
    ("GET", "/contact-properties"): list_properties,
    ("POST", "/contact-properties"): create_property,
    ("DELETE", "/contact-properties/([^/]+)"): delete_property,
    ("POST", "/events/send"): send_event,
}
