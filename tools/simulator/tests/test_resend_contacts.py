"""Resend's contacts: the official SDK is the client, plain JSON where the SDK is too kind."""

from typing import Any, cast

import pytest
import requests
import resend
from resend.exceptions import ResendError

from tools.simulator.tests.conftest import Post
from tools.simulator_process import Simulator

ANN = "ann@example.com"


@pytest.fixture(autouse=True)
def sdk(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resend, "api_key", "re_key")
    monkeypatch.setattr(resend, "api_url", simulator.url)


def create(**fields: Any) -> Any:
    return resend.Contacts.create(cast(Any, {"email": ANN, **fields}))


def test_a_contact_is_created_shown_and_updated(simulator):
    key = create(first_name="Ann")["id"]
    resend.Contacts.update({"email": ANN, "last_name": "Lee"})
    shown = resend.Contacts.get(email=ANN)
    assert (shown["id"], shown["first_name"], shown["last_name"]) == (key, "Ann", "Lee")
    assert shown["unsubscribed"] is False
    assert resend.Contacts.update({"id": key, "unsubscribed": True})["id"] == key
    assert simulator.subscribers("resend")["unsubscribed"] == [ANN]


def test_creating_an_existing_contact_changes_nothing_without_a_word(simulator):
    first, second = create(first_name="Ann"), create(first_name="Eve", unsubscribed=True)
    assert first["id"] == second["id"]
    assert resend.Contacts.get(email=ANN)["first_name"] == "Ann"
    assert simulator.subscribers("resend")["unsubscribed"] == []


def test_only_an_explicit_false_subscribes_again(simulator):
    create(unsubscribed=True)
    resend.Contacts.update({"email": ANN, "first_name": "Ann"})
    assert simulator.subscribers("resend")["unsubscribed"] == [ANN]
    resend.Contacts.update({"email": ANN, "unsubscribed": False})
    assert simulator.subscribers("resend")["unsubscribed"] == []


def test_a_property_must_be_defined_and_have_its_type(simulator):
    with pytest.raises(ResendError, match="`plan` does not exist"):
        create(properties={"plan": "pro"})
    resend.ContactProperties.create({"key": "plan", "type": "string"})
    with pytest.raises(ResendError, match="`plan` has another type"):
        create(properties={"plan": 1})
    with pytest.raises(ResendError, match="already exists"):
        resend.ContactProperties.create({"key": "plan", "type": "number"})
    create(properties={"plan": "pro"})
    [found] = resend.ContactProperties.list()["data"]
    assert (found["key"], found["type"]) == ("plan", "string")
    resend.Contacts.update(cast(Any, {"email": ANN, "properties": {"plan": None}}))
    assert simulator.subscribers("resend")["contacts"][0]["attributes"] == {}
    resend.ContactProperties.remove(found["id"])
    assert resend.ContactProperties.list()["data"] == []


def test_a_contact_joins_and_leaves_a_segment(simulator):
    segment = resend.Segments.create({"name": "vip"})["id"]
    with pytest.raises(ResendError):
        resend.Contacts.Segments.add({"email": ANN, "segment_id": segment})
    create(segments=[{"id": segment}])
    with pytest.raises(ResendError):
        resend.Contacts.Segments.add({"email": ANN, "segment_id": "unknown"})
    assert resend.Contacts.Segments.add({"email": ANN, "segment_id": segment})["id"] == segment
    assert simulator.subscribers("resend")["contacts"][0]["tags"] == ["vip"]
    resend.Contacts.Segments.remove({"email": ANN, "segment_id": segment})
    with pytest.raises(ResendError):
        resend.Contacts.Segments.remove({"email": ANN, "segment_id": segment})
    assert resend.Segments.remove(segment)["deleted"] is True
    with pytest.raises(ResendError):
        resend.Segments.remove(segment)


def test_segments_come_in_pages_the_newest_first(simulator):
    for name in ("a", "b", "b"):
        resend.Segments.create({"name": name})
    first = resend.Segments.list({"limit": 2})
    assert ([each["name"] for each in first["data"]], first["has_more"]) == (["b", "b"], True)
    second = resend.Segments.list({"limit": 2, "after": first["data"][-1]["id"]})
    assert ([each["name"] for each in second["data"]], second["has_more"]) == (["a"], False)


def test_every_event_counts(simulator):
    for _ in range(2):
        answer = resend.Events.send({"event": "x.y", "email": ANN, "payload": {"a": 1}})
    assert answer["event"] == "x.y"
    assert [each["properties"] for each in simulator.subscribers("resend")["events"]] == [
        {"a": 1},
        {"a": 1},
    ]


@pytest.mark.parametrize(
    ("path", "payload", "status"),
    [
        ("/contacts", {}, 422),
        ("/contacts", [], 400),
        ("/contacts", {"email": "ann"}, 422),
        ("/contacts", {"email": ANN, "first_name": 1}, 422),
        ("/contacts", {"email": ANN, "properties": []}, 422),
        ("/contacts", {"email": ANN, "segments": ["unknown"]}, 404),
        ("/segments", {"name": ""}, 422),
        ("/contact-properties", {"key": "two words", "type": "string"}, 422),
        ("/contact-properties", {"key": "flag", "type": "boolean"}, 422),
        ("/events/send", {"event": "resend:x", "email": ANN}, 422),
        ("/events/send", {"event": "x"}, 422),
        ("/events/send", {"event": "x", "email": ANN, "contact_id": "1"}, 422),
        ("/events/send", {"event": "x", "email": [], "payload": {}}, 422),
        ("/events", {}, 404),
        ("/segments/x", {}, 405),
    ],
)
def test_what_the_vendor_refuses_is_refused(post: Post, simulator, path, payload, status):
    assert post(path, payload).status_code == status
    assert simulator.subscribers("resend")["contacts"] == []


@pytest.mark.parametrize("limit", ["0", "101", "x"])
def test_a_page_has_1_to_100(simulator, session: requests.Session, limit):
    answer = session.get(f"{simulator.url}/segments?limit={limit}", timeout=10)
    assert answer.status_code == 422
