"""What must be defined at a vendor first: looked up once, made if missing, and seen to be gone."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from errors import InvalidMessage, ProviderUnavailable
from providers.base import Answer, WireRequest
from providers.changes import AddTag, RecordEvent, RemoveTag, Subscribe, Unsubscribe
from providers.http import HttpProvider
from providers.subscribers import Call
from tests.providers.listener import Listener, answer
from tests.providers.samples import MakeProvider, new_provider, through
from tools.simulator_process import Simulator

ANN = "ann@example.com"
WITH_GROUPS = ["resend", "sendgrid"]
GROUPS = {"resend": "/segments", "sendgrid": "/v3/marketing/lists"}
FIELDS = {"resend": "/contact-properties", "sendgrid": "/v3/marketing/field_definitions"}

Api = Callable[..., Any]


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Api]:
    """`api("POST", "/segments", {"name": "vip"})`: another user of the same account."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer key"

        def call(method: str, path: str, fields: Any = None) -> Any:
            told = session.request(method, simulator.url + path, json=fields, timeout=10)
            told.raise_for_status()
            return told.json() if told.content else None

        yield call


def subscribe(provider: HttpProvider, **attributes: Any) -> None:
    provider.change_subscriber(Subscribe(email=ANN, attributes=attributes), "key")


def tag(provider: HttpProvider, name: str = "vip") -> None:
    provider.change_subscriber(AddTag(email=ANN, tag=name), "key")


def contact(simulator: Simulator, name: str) -> dict[str, Any]:
    [found] = simulator.subscribers(name)["contacts"]
    return dict(found)


@pytest.mark.parametrize("name", WITH_GROUPS)
def test_a_tag_is_found_among_hundreds(make_provider: MakeProvider, simulator, api: Api, name):
    for number in range(250):
        api("POST", GROUPS[name], {"name": f"tag-{number}"})
    for number in (0, 120, 249):
        tag(make_provider(name), f"tag-{number}")
    assert contact(simulator, name)["tags"] == ["tag-0", "tag-120", "tag-249"]
    assert len(simulator.subscribers(name)["groups"]) == 250


@pytest.mark.parametrize("name", WITH_GROUPS)
def test_eight_threads_make_a_new_tag_and_a_new_field_once(make_provider, simulator, name):
    provider = make_provider(name)
    people = [f"p{number}@example.com" for number in range(16)]

    def join(email: str) -> None:
        change = Subscribe(email=email, tags=["vip"], attributes={"plan": "pro"})
        provider.change_subscriber(change, "key")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(join, people))
    kept = simulator.subscribers(name)
    assert (kept["groups"], kept["fields"]) == (["vip"], ["plan"])
    assert sorted(each["email"] for each in kept["contacts"]) == sorted(people)
    assert all(each["tags"] == ["vip"] for each in kept["contacts"])


def while_asked(provider: HttpProvider, method: str, path: str, act: Api) -> HttpProvider:
    """`provider`, and somebody who does `act` just before its first request of this kind."""
    done: list[Any] = []

    def around(call: Call, request: WireRequest) -> Answer:
        if (request.method, request.path) == (method, path) and not done:
            done.append(act())
        return call(request)

    return through(provider, around)


@pytest.mark.parametrize(("name", "groups"), [("resend", ["vip", "vip"]), ("sendgrid", ["vip"])])
def test_a_tag_that_two_processes_make_at_once_is_one_for_both(
    make_provider: MakeProvider, simulator, api: Api, name, groups
):
    path = GROUPS[name]
    subscribe(make_provider(name))
    provider = while_asked(
        make_provider(name), "POST", path, lambda: api("POST", path, {"name": "vip"})
    )
    tag(provider)
    tag(make_provider(name))
    kept = simulator.subscribers(name)
    assert (kept["groups"], kept["contacts"][0]["tags"]) == (groups, ["vip"])


@pytest.mark.parametrize("name", WITH_GROUPS)
def test_a_field_that_two_processes_make_at_once_is_one_for_both(make_provider, simulator, name):
    path, other = FIELDS[name], make_provider(name)
    provider = while_asked(
        make_provider(name), "POST", path, lambda: subscribe(other, plan="free", seats=1)
    )
    subscribe(provider, plan="pro")
    assert contact(simulator, name)["attributes"] == {"plan": "pro", "seats": 1}


@pytest.mark.parametrize(
    "change", [Subscribe(email=ANN, first_name="Ann"), Unsubscribe(email=ANN)], ids=["name", "no"]
)
def test_what_resend_is_told_of_a_contact_that_another_process_creates_is_not_lost(
    make_provider: MakeProvider, simulator, change
):
    other = make_provider("resend")
    provider = while_asked(make_provider("resend"), "POST", "/contacts", lambda: tag(other))
    provider.change_subscriber(change, "key")
    kept = simulator.subscribers("resend")
    assert contact(simulator, "resend")["tags"] == ["vip"]
    assert (contact(simulator, "resend")["first_name"], kept["unsubscribed"]) in (
        ("Ann", []),
        ("", [ANN]),
    )


def test_sequenzy_unsubscribes_a_stranger_whom_another_process_makes_a_subscriber(
    make_provider: MakeProvider, simulator
):
    other = make_provider("sequenzy")
    provider = while_asked(make_provider("sequenzy"), "POST", "/subscribers", lambda: tag(other))
    provider.change_subscriber(Unsubscribe(email=ANN), "key")
    assert simulator.subscribers("sequenzy")["unsubscribed"] == [ANN]


def test_of_two_segments_with_one_name_all_processes_use_the_oldest(make_provider, simulator, api):
    other = api("POST", "/segments", {"name": "vip"})["id"]
    tag(make_provider("resend"))
    api("POST", "/segments", {"name": "vip"})
    tag(make_provider("resend"))
    api("POST", f"/contacts/{ANN}/segments/{other}")
    assert contact(simulator, "resend")["tags"] == ["vip"]


def test_a_tag_is_taken_from_every_segment_of_its_name(make_provider, simulator, api):
    tag(make_provider("resend"))
    second = api("POST", "/segments", {"name": "vip"})["id"]
    api("POST", f"/contacts/{ANN}/segments/{second}")
    assert contact(simulator, "resend")["tags"] == ["vip", "vip"]
    make_provider("resend").change_subscriber(RemoveTag(email=ANN, tag="vip"), "key")
    assert contact(simulator, "resend")["tags"] == []


@pytest.mark.parametrize("name", WITH_GROUPS)
def test_a_tag_that_somebody_deleted_is_made_again(make_provider, simulator, api: Api, name):
    provider = make_provider(name)
    tag(provider)
    [entry] = api("GET", GROUPS[name]).get("data") or api("GET", GROUPS[name])["result"]
    api("DELETE", f"{GROUPS[name]}/{entry['id']}")
    tag(provider)
    assert contact(simulator, name)["tags"] == ["vip"]


@pytest.mark.parametrize("name", WITH_GROUPS)
def test_a_tag_is_also_taken_away_after_somebody_made_it_anew(make_provider, simulator, api, name):
    provider = make_provider(name)
    tag(provider)
    [entry] = api("GET", GROUPS[name]).get("data") or api("GET", GROUPS[name])["result"]
    api("DELETE", f"{GROUPS[name]}/{entry['id']}")
    tag(make_provider(name))
    provider.change_subscriber(RemoveTag(email=ANN, tag="vip"), "key")
    assert contact(simulator, name)["tags"] == []


@pytest.mark.parametrize("name", WITH_GROUPS)
def test_a_field_that_somebody_deleted_is_made_again(make_provider, simulator, api: Api, name):
    provider = make_provider(name)
    subscribe(provider, plan="pro")
    [entry] = api("GET", FIELDS[name]).get("data") or api("GET", FIELDS[name])["custom_fields"]
    api("DELETE", f"{FIELDS[name]}/{entry['id']}")
    subscribe(provider, plan="team")
    assert contact(simulator, name)["attributes"]["plan"] == "team"


@pytest.mark.parametrize("name", WITH_GROUPS)
def test_a_field_made_by_hand_keeps_its_type(make_provider, simulator, api: Api, name):
    text, number = ("Text", "Number") if name == "sendgrid" else ("string", "number")
    key, kind = ("name", "field_type") if name == "sendgrid" else ("key", "type")
    api("POST", FIELDS[name], {key: "zip", kind: text})
    api("POST", FIELDS[name], {key: "seats", kind: number})
    subscribe(make_provider(name), zip=89073, seats=3)
    assert contact(simulator, name)["attributes"] == {"zip": "89073", "seats": 3}
    for value in ("three", True):
        with pytest.raises(InvalidMessage, match=r"attributes\[seats\] must be a number") as no:
            subscribe(make_provider(name), seats=value)
        assert no.value.field == "attributes"
    assert contact(simulator, name)["attributes"] == {"zip": "89073", "seats": 3}


def test_sendgrid_has_an_address_without_fields_of_ours(make_provider, simulator):
    subscribe(make_provider("sendgrid"), city="Ulm", country="DE", postal_code=89073, Plan="pro")
    assert contact(simulator, "sendgrid")["attributes"] == {
        "city": "Ulm",
        "country": "DE",
        "postal_code": "89073",
        "Plan": "pro",
    }
    assert simulator.subscribers("sendgrid")["fields"] == ["Plan"]
    subscribe(make_provider("sendgrid"), city=None, PLAN="team")
    assert contact(simulator, "sendgrid")["attributes"] == {
        "country": "DE",
        "postal_code": "89073",
        "Plan": "team",
    }


def test_sendgrid_refuses_a_field_that_it_keeps_itself(make_provider, simulator):
    with pytest.raises(InvalidMessage, match="a field of this name exists"):
        subscribe(make_provider("sendgrid"), last_opened="2026-01-01")
    assert simulator.subscribers("sendgrid")["contacts"] == []


def test_a_name_longer_than_sendgrid_takes_is_cut(make_provider, simulator):
    provider = make_provider("sendgrid")
    provider.change_subscriber(Subscribe(email=ANN, first_name="x" * 100), "key")
    assert contact(simulator, "sendgrid")["first_name"] == "x" * 50


def told(listener: Listener, name: str, *bodies: bytes) -> HttpProvider:
    listener.answers(*(answer(200, body) for body in bodies))
    return new_provider(name, listener.url)


@pytest.mark.parametrize("name", WITH_GROUPS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data": {}, "result": 1}'])
def test_a_list_that_cannot_be_read_is_asked_for_again_later(listener: Listener, name, body):
    with pytest.raises(ProviderUnavailable, match=f"{name} answered 200 without") as failed:
        tag(told(listener, name, body))
    assert failed.value.retryable
    assert len(listener.requests) == 1


@pytest.mark.parametrize("name", WITH_GROUPS)
def test_what_was_looked_up_is_remembered(listener: Listener, name):
    groups = b'{"data": [{"id": "g", "name": "vip"}], "result": [{"id": "g", "name": "vip"}]}'
    provider = told(listener, name, groups, b"{}")
    tag(provider)
    tag(provider)
    assert [raw.split()[0] for raw in listener.requests] == [
        b"GET",
        *([b"POST"] * 2 if name == "resend" else [b"PUT"] * 2),
    ]


def test_pages_without_end_do_not_hold_a_worker_for_ever(listener: Listener):
    page = b'{"data": [{"id": "g", "name": "other"}], "has_more": true}'
    provider = told(listener, "resend", page)
    provider.change_subscriber(RemoveTag(email=ANN, tag="vip"), "key")
    assert len(listener.requests) == 100


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (b'{"sideEffectFailures": ["trigger-event-automations"]}', "trigger-event-automations"),
        (b'{"success": true, "duplicate": true}', None),
    ],
)
def test_sequenzy_says_what_an_event_did_not_start(listener: Listener, body, note):
    provider = told(listener, "sequenzy", body)
    receipt = provider.change_subscriber(RecordEvent(email=ANN, event="x"), "key")
    assert len(receipt.notes) == (1 if note else 0)
    assert note is None or note in receipt.notes[0]


def test_a_subscriber_who_must_confirm_first_is_noted(listener: Listener):
    body = b'{"subscriber": {"created": true}, "optIn": {"required": true}}'
    receipt = told(listener, "sequenzy", body).change_subscriber(Subscribe(email=ANN), "key")
    assert receipt.notes == ("waits for confirmation (double opt-in)",)


def test_a_yes_of_sequenzy_without_success_is_no_yes(listener: Listener):
    body = b'{"success": false, "error": "Nope"}'
    with pytest.raises(InvalidMessage, match="sequenzy answered 200: Nope"):
        told(listener, "sequenzy", body).change_subscriber(Subscribe(email=ANN), "key")
    untag = RemoveTag(email=ANN, tag="vip")
    with pytest.raises(ProviderUnavailable, match="Nope") as failed:
        told(listener, "sequenzy", body).change_subscriber(untag, "key")
    assert failed.value.retryable


def test_a_tag_taken_from_a_contact_that_is_not_there_yet_is_noted(make_provider, api):
    api("POST", "/v3/marketing/lists", {"name": "vip"})
    untag = RemoveTag(email=ANN, tag="vip")
    [note] = make_provider("sendgrid").change_subscriber(untag, "key").notes
    assert note.startswith("no contact of this address")
