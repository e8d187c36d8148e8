"""SendGrid's marketing contacts, lists and fields, and its global list of unsubscribes.

What SendGrid does in a job of some minutes is done here when the request is answered.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from tools.simulator.checks import is_address, one_line, text
from tools.simulator.contacts import Book, Contact, ContactRoute
from tools.simulator.exchange import Refused, Reply, Request, json_reply
from tools.simulator.sendgrid import refusal

MAX_CONTACTS = 30_000
MAX_NAME = 50  # characters
MAX_SEARCH = 100  # addresses
MAX_PAGE = 1000
RESERVED = {
    "first_name", "last_name", "email", "alternate_emails", "address_line_1", "address_line_2",
    "city", "state_province_region", "postal_code", "country", "phone_number", "whatsapp", "line",
    "facebook", "unique_name", "email_domains", "last_clicked", "last_opened", "last_emailed",
    "singlesend_id", "automation_id", "created_at", "updated_at", "contact_id",
}  # fmt: skip
ADDRESS = ("address_line_1", "address_line_2", "city", "country", "postal_code",
           "state_province_region")  # fmt: skip

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def put(request: Request, book: Book) -> Reply:
    """`PUT /v3/marketing/contacts`: 202 with a job; what is not named stays."""
    fields = _fields(request)
    people, lists = fields.get("contacts"), fields.get("list_ids", [])
    if not isinstance(people, list) or not 1 <= len(people) <= MAX_CONTACTS:
        raise _refused("contacts", f"1 to {MAX_CONTACTS} contacts are required")
    if not isinstance(lists, list) or not all(text(each) in book.groups for each in lists):
        raise Refused(refusal("404"))
    for index, person in enumerate(people):
        _check(f"contacts[{index}]", person, book)
    for person in people:
        contact, _ = book.take(person["email"])
        _set(contact, person)
        contact.tag(lists)
    return _job()


def search(request: Request, book: Book) -> Reply:
    """`POST /v3/marketing/contacts/search/emails`: 404 if none is found."""
    emails = _fields(request).get("emails")
    if not isinstance(emails, list) or not 1 <= len(emails) <= MAX_SEARCH:
        raise _refused("emails", f"1 to {MAX_SEARCH} addresses are required")
    if not all(is_address(email) for email in emails):
        raise _refused("emails", "invalid email address")
    found = {email.lower(): book.find(email) for email in emails}
    if not any(found.values()):
        raise Refused(refusal("404"))
    result = {
        email: {"contact": _shown(contact)} if contact else {"error": "contact not found"}
        for email, contact in found.items()
    }
    return json_reply(200, {"result": result})


def list_lists(request: Request, book: Book) -> Reply:
    """`GET /v3/marketing/lists`: pages by the token in `_metadata.next`."""
    size, start = _number(request, "page_size", 100), _number(request, "page_token", 0)
    if not 1 <= size <= MAX_PAGE:
        raise _refused("page_size", f"1 to {MAX_PAGE}")
    each = [{"id": key, "name": name, "contact_count": 0} for key, name in book.groups.items()]
    here = f"http://{request.headers.get('host')}{request.path}"
    metadata = {"self": here, "count": len(each)}
    if start + size < len(each):
        query = urlencode({"page_size": size, "page_token": start + size})
        metadata["next"] = f"{here}?{query}"
    return json_reply(200, {"result": each[start : start + size], "_metadata": metadata})


def create_list(request: Request, book: Book) -> Reply:
    """`POST /v3/marketing/lists`: 201; a name can be used once."""
    name = _fields(request).get("name")
    if not one_line(name) or len(text(name)) > 100:
        raise _refused("name", "1 to 100 characters are required")
    if name in book.groups.values():
        raise _refused("name", "a list of this name exists")
    key = str(uuid4())
    book.groups[key] = text(name)
    return json_reply(201, {"id": key, "name": name, "contact_count": 0})


def delete_list(_: Request, book: Book, which: str) -> Reply:
    """`DELETE /v3/marketing/lists/{id}`: 204; the contacts stay."""
    if book.groups.pop(which, None) is None:
        raise Refused(refusal("404"))
    for contact in book.contacts.values():
        contact.untag([which])
    return Reply(status=204)


def remove_from_list(request: Request, book: Book, which: str) -> Reply:
    """`DELETE /v3/marketing/lists/{id}/contacts?contact_ids=`: 202 with a job."""
    ids = [each for each in request.query.get("contact_ids", "").split(",") if each]
    if which not in book.groups:
        raise Refused(refusal("404"))
    if not ids:
        raise _refused("contact_ids", "at least one id is required")
    for contact in map(book.find, ids):
        if contact:
            contact.untag([which])
    return _job()


def list_fields(_: Request, book: Book) -> Reply:
    """`GET /v3/marketing/field_definitions`."""
    custom = [{"id": key, **each} for key, each in book.fields.items()]
    reserved = [{"id": f"_rf_{name}", "name": name, "field_type": "Text"} for name in RESERVED]
    return json_reply(200, {"custom_fields": custom, "reserved_fields": reserved})


def create_field(request: Request, book: Book) -> Reply:
    """`POST /v3/marketing/field_definitions`: names are unique, whatever their case."""
    fields = _fields(request)
    name, kind = text(fields.get("name")), fields.get("field_type")
    if not _FIELD_NAME.fullmatch(name) or kind not in ("Text", "Number", "Date"):
        raise _refused("name", "letters, digits and underscores; Text, Number or Date")
    taken = {str(each["name"]).lower() for each in book.fields.values()} | RESERVED
    if name.lower() in taken:
        raise _refused("name", "a field of this name exists")
    key = f"e{len(book.fields) + 1}_{kind[0]}"
    book.fields[key] = {"name": name, "field_type": kind}
    return json_reply(200, {"id": key, **book.fields[key]})


def delete_field(_: Request, book: Book, which: str) -> Reply:
    """`DELETE /v3/marketing/field_definitions/{id}`: 204."""
    if book.fields.pop(which, None) is None:
        raise Refused(refusal("404"))
    return Reply(status=204)


def suppress(request: Request, book: Book) -> Reply:
    """`POST /v3/asm/suppressions/global`: 201; these need not be contacts."""
    emails = _fields(request).get("recipient_emails")
    if not isinstance(emails, list) or not emails or not all(map(is_address, emails)):
        raise _refused("recipient_emails", "at least one address is required")
    for email in emails:
        book.unsubscribe(email)
    return json_reply(201, {"recipient_emails": emails})


def suppressed(_: Request, book: Book, email: str) -> Reply:
    """`GET /v3/asm/suppressions/global/{email}`: an empty object if it is not there."""
    known = email.lower() in book.unsubscribed
    return json_reply(200, {"recipient_email": email} if known else {})


def _job() -> Reply:
    return json_reply(202, {"job_id": str(uuid4())})


def _refused(path: str, message: str) -> Refused:
    return Refused(json_reply(400, {"errors": [{"field": path, "message": message}]}))


def _fields(request: Request) -> dict[str, Any]:
    if not isinstance(request.json, dict):
        raise _refused("", "Bad Request")
    return request.json


def _number(request: Request, name: str, default: int) -> int:
    value = request.query.get(name, str(default))
    if not value.isdecimal():
        raise _refused(name, "a number is required")
    return int(value)


def _check(path: str, person: Any, book: Book) -> None:
    if not isinstance(person, dict) or not is_address(person.get("email")):
        raise _refused(f"{path}.email", "invalid email address")
    for name in ("first_name", "last_name"):
        value = person.get(name, "")
        if not isinstance(value, str) or len(value) > MAX_NAME:
            raise _refused(f"{path}.{name}", f"at most {MAX_NAME} characters")
    custom = person.get("custom_fields", {})
    if not isinstance(custom, dict):
        raise _refused(f"{path}.custom_fields", "an object is required")
    for key, value in custom.items():
        if key not in book.fields:
            raise _refused(f"{path}.custom_fields", f"invalid custom field id {key}")
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        is_number = book.fields[key]["field_type"] == "Number"
        if value is not None and not (numeric if is_number else isinstance(value, str)):
            raise _refused(f"{path}.custom_fields", f"{key} has another type")


def _set(contact: Contact, person: Mapping[str, Any]) -> None:
    contact.first_name = person.get("first_name", contact.first_name)
    contact.last_name = person.get("last_name", contact.last_name)
    own = {name: person[name] for name in ADDRESS if name in person}
    values = contact.attributes | own | person.get("custom_fields", {})
    contact.attributes = {key: value for key, value in values.items() if value not in (None, "")}


def _shown(contact: Contact) -> dict[str, Any]:
    return {
        "id": contact.id,
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "list_ids": contact.tags,
        "segment_ids": [],
        "custom_fields": contact.attributes,
    }


_CONTACTS = "/v3/marketing/contacts"
_LISTS = "/v3/marketing/lists"
_FIELDS = "/v3/marketing/field_definitions"
_GLOBAL = "/v3/asm/suppressions/global"
ROUTES: dict[tuple[str, str], ContactRoute] = {
    ("PUT", _CONTACTS): put,
    ("POST", f"{_CONTACTS}/search/emails"): search,
    ("GET", _LISTS): list_lists,
    ("POST", _LISTS): create_list,
    ("DELETE", f"{_LISTS}/([^/]+)"): delete_list,
    ("DELETE", f"{_LISTS}/([^/]+)/contacts"): remove_from_list,
    ("GET", _FIELDS): list_fields,
    ("POST", _FIELDS): create_field,
    ("DELETE", f"{_FIELDS}/([^/]+)"): delete_field,
    ("POST", _GLOBAL): suppress,
    ("GET", f"{_GLOBAL}/(.+)"): suppressed,
}
