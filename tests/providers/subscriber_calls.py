"""Every change at every vendor: the answers it meets, and the calls it takes, to the letter."""

import json
from typing import Any
from urllib.parse import unquote

from attrs import frozen

from providers.changes import (
    AddTag,
    RecordEvent,
    RemoveTag,
    Subscribe,
    SubscriberChange,
    Unsubscribe,
)
from tests.providers.samples import ID

ANN = "ann+news@example.com"
PATH = "ann%2Bnews%40example.com"
SUBSCRIBE = Subscribe(
    email=ANN,
    first_name="Ann",
    last_name="Müller",
    tags=["paying-customer"],
    attributes={"plan": "pro", "seats": 3},
)
EVENT = RecordEvent(email=ANN, event="trial.started", properties={"days": 14, "free": True})
ADD, REMOVE = AddTag(email=ANN, tag="vip"), RemoveTag(email=ANN, tag="vip")
LEAVE = Unsubscribe(email=ANN)

Sent = tuple[str, str, Any]
"""Method, target and JSON of a call."""


@frozen
class Case:
    """`change` at `provider`: `calls` are what it sends, `answers` what it gets, in order."""

    provider: str
    change: SubscriberChange
    answers: list[tuple[int, Any]]
    calls: list[Sent]


NEW, OLD = {"subscriber": {"created": True}}, {"subscriber": {"created": False, "updated": True}}
PROFILE = {
    "firstName": "Ann",
    "lastName": "Müller",
    "customAttributes": {"plan": "pro", "seats": 3},
}
SEGMENTS = {"data": [{"id": "s1", "name": "vip"}], "has_more": False}
PROPERTIES = {"data": [{"key": "plan", "type": "string"}], "has_more": False}
BOTH = {"data": [*PROPERTIES["data"], {"key": "seats", "type": "number"}]}  # type: ignore[misc]
CONTACT = {
    "first_name": "Ann",
    "last_name": "Müller",
    "properties": {"plan": "pro", "seats": 3},
}
LISTS = {"result": [{"id": "l1", "name": "vip"}], "_metadata": {}}
FIELDS = {"custom_fields": [{"id": "e1_T", "name": "Plan", "field_type": "Text"}]}
MORE_FIELDS = {
    "custom_fields": [
        *FIELDS["custom_fields"],
        {"id": "e2_N", "name": "seats", "field_type": "Number"},
    ]
}

CASES = {
    "sequenzy: subscribe, new": Case(
        "sequenzy",
        SUBSCRIBE,
        [(200, NEW)],
        [
            (
                "POST",
                "/subscribers",
                {
                    "email": ANN,
                    **PROFILE,
                    "tags": ["paying-customer"],
                    "duplicateStrategy": "merge",
                },
            )
        ],
    ),
    "sequenzy: subscribe, existing": Case(
        "sequenzy",
        SUBSCRIBE,
        [(200, OLD), (200, {}), (200, {})],
        [
            (
                "POST",
                "/subscribers",
                {
                    "email": ANN,
                    **PROFILE,
                    "tags": ["paying-customer"],
                    "duplicateStrategy": "merge",
                },
            ),
            ("PATCH", f"/subscribers/{PATH}", {**PROFILE, "customAttributesStrategy": "merge"}),
            ("POST", "/subscribers/tags/bulk", {"email": ANN, "tags": ["paying-customer"]}),
        ],
    ),
    "sequenzy: add a tag": Case(
        "sequenzy", ADD, [(200, {})], [("POST", "/subscribers/tags", {"email": ANN, "tag": "vip"})]
    ),
    "sequenzy: remove a tag": Case(
        "sequenzy",
        REMOVE,
        [(200, {"success": True})],
        [("POST", "/subscribers/bulk/tags/remove", {"emails": [ANN], "tags": ["vip"]})],
    ),
    "sequenzy: event": Case(
        "sequenzy",
        EVENT,
        [(200, {})],
        [
            (
                "POST",
                "/subscribers/events",
                {
                    "email": ANN,
                    "event": "trial.started",
                    "eventId": ID,
                    "properties": {"days": 14, "free": True},
                },
            )
        ],
    ),
    "sequenzy: unsubscribe": Case(
        "sequenzy",
        LEAVE,
        [(200, {})],
        [("PATCH", f"/subscribers/{PATH}", {"status": "unsubscribed"})],
    ),
    "sequenzy: unsubscribe a stranger": Case(
        "sequenzy",
        LEAVE,
        [(404, {}), (200, NEW)],
        [
            ("PATCH", f"/subscribers/{PATH}", {"status": "unsubscribed"}),
            (
                "POST",
                "/subscribers",
                {"email": ANN, "status": "unsubscribed", "lists": [], "enrollInSequences": False},
            ),
        ],
    ),
    "resend: subscribe, new": Case(
        "resend",
        SUBSCRIBE,
        [
            (200, PROPERTIES),
            (201, {"id": "p2"}),
            (200, BOTH),
            (404, {}),
            (201, {"id": "c1"}),
            (200, {"id": "c1"}),
            (200, SEGMENTS),
            (201, {"id": "s2"}),
            (200, {"data": [{"id": "s2", "name": "paying-customer"}]}),
            (200, {"id": "s2"}),
        ],
        [
            ("GET", "/contact-properties?limit=100", None),
            ("POST", "/contact-properties", {"key": "seats", "type": "number"}),
            ("GET", "/contact-properties?limit=100", None),
            ("PATCH", f"/contacts/{PATH}", {"email": ANN, **CONTACT}),
            ("POST", "/contacts", {"email": ANN, **CONTACT}),
            ("PATCH", f"/contacts/{PATH}", {"email": ANN, **CONTACT}),
            ("GET", "/segments?limit=100", None),
            ("POST", "/segments", {"name": "paying-customer"}),
            ("GET", "/segments?limit=100", None),
            ("POST", f"/contacts/{PATH}/segments/s2", {"email": ANN, "segment_id": "s2"}),
        ],
    ),
    "resend: add a tag": Case(
        "resend",
        ADD,
        [(200, SEGMENTS), (200, {})],
        [
            ("GET", "/segments?limit=100", None),
            ("POST", f"/contacts/{PATH}/segments/s1", {"email": ANN, "segment_id": "s1"}),
        ],
    ),
    "resend: remove a tag": Case(
        "resend",
        REMOVE,
        [(200, SEGMENTS), (200, {})],
        [
            ("GET", "/segments?limit=100", None),
            ("DELETE", f"/contacts/{PATH}/segments/s1", None),
        ],
    ),
    "resend: the second page of segments": Case(
        "resend",
        REMOVE,
        [
            (200, {"data": [{"id": "s0", "name": "x"}], "has_more": True}),
            (200, SEGMENTS),
            (200, {}),
        ],
        [
            ("GET", "/segments?limit=100", None),
            ("GET", "/segments?limit=100&after=s0", None),
            ("DELETE", f"/contacts/{PATH}/segments/s1", None),
        ],
    ),
    "resend: event": Case(
        "resend",
        EVENT,
        [(200, {})],
        [
            (
                "POST",
                "/events/send",
                {
                    "event": "trial.started",
                    "email": ANN,
                    "payload": {"days": 14, "free": True},
                },
            )
        ],
    ),
    "resend: unsubscribe": Case(
        "resend",
        LEAVE,
        [(200, {})],
        [("PATCH", f"/contacts/{PATH}", {"email": ANN, "unsubscribed": True})],
    ),
    "sendgrid: subscribe": Case(
        "sendgrid",
        SUBSCRIBE,
        [
            (200, LISTS),
            (201, {"id": "l2", "name": "paying-customer"}),
            (200, {"result": [{"id": "l2", "name": "paying-customer"}]}),
            (200, FIELDS),
            (200, {"id": "e2_N"}),
            (200, MORE_FIELDS),
            (202, {"job_id": "j"}),
        ],
        [
            ("GET", "/v3/marketing/lists?page_size=100", None),
            ("POST", "/v3/marketing/lists", {"name": "paying-customer"}),
            ("GET", "/v3/marketing/lists?page_size=100", None),
            ("GET", "/v3/marketing/field_definitions", None),
            (
                "POST",
                "/v3/marketing/field_definitions",
                {"name": "seats", "field_type": "Number"},
            ),
            ("GET", "/v3/marketing/field_definitions", None),
            (
                "PUT",
                "/v3/marketing/contacts",
                {
                    "list_ids": ["l2"],
                    "contacts": [
                        {
                            "email": ANN,
                            "first_name": "Ann",
                            "last_name": "Müller",
                            "custom_fields": {"e1_T": "pro", "e2_N": 3},
                        }
                    ],
                },
            ),
        ],
    ),
    "sendgrid: add a tag": Case(
        "sendgrid",
        ADD,
        [(200, LISTS), (202, {"job_id": "j"})],
        [
            ("GET", "/v3/marketing/lists?page_size=100", None),
            (
                "PUT",
                "/v3/marketing/contacts",
                {"list_ids": ["l1"], "contacts": [{"email": ANN}]},
            ),
        ],
    ),
    "sendgrid: remove a tag, from the second page of lists": Case(
        "sendgrid",
        REMOVE,
        [
            (200, {"result": [], "_metadata": {"next": "https://else.where/x?page_token=t%2B1"}}),
            (200, LISTS),
            (200, {"result": {ANN: {"contact": {"id": "c-1"}}}}),
            (202, {"job_id": "j"}),
        ],
        [
            ("GET", "/v3/marketing/lists?page_size=100", None),
            ("GET", "/v3/marketing/lists?page_size=100&page_token=t%2B1", None),
            ("POST", "/v3/marketing/contacts/search/emails", {"emails": [ANN]}),
            ("DELETE", "/v3/marketing/lists/l1/contacts?contact_ids=c-1", None),
        ],
    ),
    "sendgrid: unsubscribe": Case(
        "sendgrid",
        LEAVE,
        [(201, {"recipient_emails": [ANN]})],
        [("POST", "/v3/asm/suppressions/global", {"recipient_emails": [ANN]})],
    ),
}


def sent(raw: bytes) -> Sent:
    """A raw request as method, target and JSON; the bodies of GET and DELETE do not count."""
    head, _, body = raw.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    counts = method not in ("GET", "DELETE") and body
    return method, target, json.loads(body) if counts else None


def readable(call: Sent) -> Sent:
    """The same with a decoded target, for libraries that escape more or less than we do."""
    return call[0], unquote(call[1]), call[2]
