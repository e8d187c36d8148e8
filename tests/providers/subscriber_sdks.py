"""The same changes by the vendors' own libraries: `SDKS[vendor](url, what)` for each case."""

from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
import resend
import sequenzy  # type: ignore[import-untyped] # it ships no types
from sendgrid import SendGridAPIClient

from tests.providers.samples import ID, KEY
from tests.providers.subscriber_calls import ANN, CONTACT, PATH


def by_sequenzy(url: str, name: str) -> None:
    with httpx.Client(trust_env=False) as http:
        client = sequenzy.Sequenzy(api_key=KEY, base_url=url, max_retries=0, httpx_client=http)
        _SEQUENZY[name](client.subscribers)


def _sequenzy_create(api: Any) -> None:
    api.create(
        email=ANN,
        first_name="Ann",
        last_name="Müller",
        custom_attributes={"plan": "pro", "seats": 3},
        tags=["paying-customer"],
        duplicate_strategy="merge",
    )


def _sequenzy_bring_up_to_date(api: Any) -> None:
    _sequenzy_create(api)
    api.update(
        PATH,  # it does not escape
        first_name="Ann",
        last_name="Müller",
        custom_attributes={"plan": "pro", "seats": 3},
        custom_attributes_strategy="merge",
    )
    api.add_tags_bulk(email=ANN, tags=["paying-customer"])


def _sequenzy_turn_away(api: Any) -> None:
    with pytest.raises(sequenzy.core.api_error.ApiError):
        api.update(PATH, status="unsubscribed")
    api.create(email=ANN, status="unsubscribed", lists=[], enroll_in_sequences=False)


_SEQUENZY: dict[str, Callable[[Any], Any]] = {
    "subscribe, new": _sequenzy_create,
    "subscribe, existing": _sequenzy_bring_up_to_date,
    "add a tag": lambda api: api.tags.add(email=ANN, tag="vip"),
    "remove a tag": lambda api: api.bulk_remove_tags(emails=[ANN], tags=["vip"]),
    "event": lambda api: api.events.trigger(
        email=ANN, event="trial.started", event_id=ID, properties={"days": 14, "free": True}
    ),
    "unsubscribe": lambda api: api.update(PATH, status="unsubscribed"),
    "unsubscribe a stranger": _sequenzy_turn_away,
}


def by_resend(url: str, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resend, "api_key", KEY)
        patch.setattr(resend, "api_url", url)
        _RESEND[name]()


def _resend_subscribe() -> None:
    contact = cast(Any, {"email": ANN, **CONTACT})
    resend.ContactProperties.list({"limit": 100})
    resend.ContactProperties.create({"key": "seats", "type": "number"})
    resend.ContactProperties.list({"limit": 100})
    with pytest.raises(resend.exceptions.ResendError):
        resend.Contacts.update(contact)
    resend.Contacts.create(contact)
    resend.Contacts.update(contact)
    resend.Segments.list({"limit": 100})
    resend.Segments.create({"name": "paying-customer"})
    resend.Segments.list({"limit": 100})
    resend.Contacts.Segments.add({"email": ANN, "segment_id": "s2"})


def _resend_add_a_tag() -> None:
    resend.Segments.list({"limit": 100})
    resend.Contacts.Segments.add({"email": ANN, "segment_id": "s1"})


def _resend_remove_a_tag() -> None:
    resend.Segments.list({"limit": 100})
    resend.Contacts.Segments.remove({"email": ANN, "segment_id": "s1"})


def _resend_second_page() -> None:
    resend.Segments.list({"limit": 100})
    resend.Segments.list({"limit": 100, "after": "s0"})
    resend.Contacts.Segments.remove({"email": ANN, "segment_id": "s1"})


_RESEND: dict[str, Callable[[], Any]] = {
    "subscribe, new": _resend_subscribe,
    "add a tag": _resend_add_a_tag,
    "remove a tag": _resend_remove_a_tag,
    "the second page of segments": _resend_second_page,
    "event": lambda: resend.Events.send(
        {"event": "trial.started", "email": ANN, "payload": {"days": 14, "free": True}}
    ),
    "unsubscribe": lambda: resend.Contacts.update({"email": ANN, "unsubscribed": True}),
}


def by_sendgrid(url: str, name: str) -> None:
    _SENDGRID[name](SendGridAPIClient(KEY, host=url).client)


def _sendgrid_subscribe(api: Any) -> None:
    marketing = api.marketing
    marketing.lists.get(query_params={"page_size": 100})
    marketing.lists.post(request_body={"name": "paying-customer"})
    marketing.lists.get(query_params={"page_size": 100})
    marketing.field_definitions.get()
    marketing.field_definitions.post(request_body={"name": "seats", "field_type": "Number"})
    marketing.field_definitions.get()
    person = {"email": ANN, "first_name": "Ann", "last_name": "Müller"}
    values = {"custom_fields": {"e1_T": "pro", "e2_N": 3}}
    marketing.contacts.put(request_body={"list_ids": ["l2"], "contacts": [person | values]})


def _sendgrid_add_a_tag(api: Any) -> None:
    api.marketing.lists.get(query_params={"page_size": 100})
    api.marketing.contacts.put(request_body={"list_ids": ["l1"], "contacts": [{"email": ANN}]})


def _sendgrid_remove_a_tag(api: Any) -> None:
    lists = api.marketing.lists
    lists.get(query_params={"page_size": 100})
    lists.get(query_params={"page_size": 100, "page_token": "t+1"})
    api.marketing.contacts.search.emails.post(request_body={"emails": [ANN]})
    lists._("l1").contacts.delete(query_params={"contact_ids": "c-1"})


_SENDGRID: dict[str, Callable[[Any], Any]] = {
    "subscribe": _sendgrid_subscribe,
    "add a tag": _sendgrid_add_a_tag,
    "remove a tag, from the second page of lists": _sendgrid_remove_a_tag,
    "unsubscribe": lambda api: api.asm.suppressions._("global").post(
        request_body={"recipient_emails": [ANN]}
    ),
}

SDKS = {"sequenzy": by_sequenzy, "resend": by_resend, "sendgrid": by_sendgrid}
