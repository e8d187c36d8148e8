"""Sequenzy's subscribers: the official SDK is the client, plain JSON where the SDK is too kind."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sequenzy  # type: ignore[import-untyped] # it ships no types
from sequenzy.errors import NotFoundError, UnauthorizedError  # type: ignore[import-untyped]

from tools.simulator.tests.conftest import Post
from tools.simulator_process import Simulator

ANN = "ann@example.com"
BASE = "/api/v1/subscribers"


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Any]:
    with httpx.Client(trust_env=False) as http:
        yield sequenzy.Sequenzy(
            api_key="k", base_url=f"{simulator.url}/api/v1", max_retries=0, httpx_client=http
        ).subscribers


@pytest.fixture
def ann(simulator: Simulator):
    def kept() -> dict[str, Any]:
        [contact] = simulator.subscribers("sequenzy")["contacts"]
        return dict(contact)

    return kept


def test_a_new_subscriber_is_created(api, ann):
    answer = api.create(email=ANN, first_name="Ann", tags=["VIP one"], custom_attributes={"a": 1})
    assert (answer.success, answer.subscriber.created) == (True, True)
    assert answer.subscriber.status == "active"
    assert answer.subscriber.id == ann()["id"]
    assert (ann()["tags"], ann()["attributes"]) == (["vip-one"], {"a": 1})


def test_an_existing_one_is_skipped_without_a_word_unless_told_otherwise(api, ann):
    api.create(email=ANN, first_name="Ann", custom_attributes={"a": 1})
    answer = api.create(email=ANN, first_name="Eve", custom_attributes={"a": 2})
    assert (answer.success, answer.subscriber.skipped) == (True, True)
    assert (ann()["first_name"], ann()["attributes"]) == ("Ann", {"a": 1})


def test_merge_only_fills_what_is_missing(api, ann):
    api.create(email=ANN, first_name="Ann", custom_attributes={"a": 1}, tags=["x"])
    answer = api.create(
        email=ANN, first_name="Eve", last_name="Lee", custom_attributes={"a": 2, "b": 2},
        tags=["y"], duplicate_strategy="merge",
    )  # fmt: skip
    assert (answer.subscriber.created, answer.subscriber.updated) == (False, True)
    assert (ann()["first_name"], ann()["last_name"]) == ("Ann", "Lee")
    assert (ann()["attributes"], ann()["tags"]) == ({"a": 1, "b": 2}, ["x"])


def test_overwrite_replaces_all_and_brings_nobody_back(api, ann, simulator):
    api.create(email=ANN, first_name="Ann", custom_attributes={"a": 1}, status="unsubscribed")
    answer = api.create(email=ANN, status="active", duplicate_strategy="overwrite")
    assert answer.subscriber.status == "unsubscribed"
    assert (ann()["first_name"], ann()["attributes"]) == ("", {})


def test_an_update_replaces_attributes_unless_told_to_merge(api, ann):
    api.create(email=ANN, custom_attributes={"a": 1})
    api.update(ANN, custom_attributes={"b": 2}, custom_attributes_strategy="merge")
    assert ann()["attributes"] == {"a": 1, "b": 2}
    api.update(ANN, custom_attributes={"c": 3})
    assert ann()["attributes"] == {"c": 3}


def test_an_update_can_unsubscribe_and_finds_no_stranger(api, simulator):
    with pytest.raises(NotFoundError):
        api.update(ANN, status="unsubscribed")
    api.create(email=ANN)
    assert api.update(ANN, status="unsubscribed").subscriber.status == "unsubscribed"
    assert simulator.subscribers("sequenzy")["unsubscribed"] == [ANN]


def test_tags_are_added_and_removed(api, ann):
    assert api.tags.add(email=ANN, tag="Paying_Customer!").tag.name == "paying-customer"
    api.add_tags_bulk(email=ANN, tags=["b", "c"])
    assert api.tags.remove(email=ANN, tag="b").tag.removed is True
    assert api.tags.remove(email=ANN, tag="b").tag.removed is False
    assert ann()["tags"] == ["paying-customer", "c"]


def test_removing_makes_a_subscriber_of_a_stranger_but_not_in_bulk(api, simulator):
    answer = api.bulk_remove_tags(emails=[ANN], tags=["b"])
    assert (answer.success, answer.matched, answer.not_found.emails) == (True, 0, [ANN])
    assert simulator.subscribers("sequenzy")["contacts"] == []
    api.tags.remove(email=ANN, tag="b")
    assert len(simulator.subscribers("sequenzy")["contacts"]) == 1
    api.tags.add(email=ANN, tag="b")
    assert api.bulk_remove_tags(emails=[ANN], tags=["b"]).updated == 1


def test_an_event_counts_once_an_id_for_a_subscriber_and_name(api, simulator):
    for _ in range(2):
        answer = api.events.trigger(email=ANN, event="x", event_id="1", properties={"a": 1})
    assert answer.duplicate is True
    assert api.events.trigger(email=ANN, event="y", event_id="1").duplicate is None
    api.events.trigger(email=ANN, event="x")
    assert [each["key"] for each in simulator.subscribers("sequenzy")["events"]] == ["1", "1", None]


def test_a_bad_key_is_refused(simulator):
    with httpx.Client(trust_env=False) as http:
        client = sequenzy.Sequenzy(
            api_key="bad-key", base_url=f"{simulator.url}/api/v1", max_retries=0, httpx_client=http
        )
        with pytest.raises(UnauthorizedError):
            client.subscribers.create(email=ANN)


@pytest.mark.parametrize(
    ("path", "payload", "status"),
    [
        ("", {}, 400),
        ("", [], 400),
        ("", {"email": "ann"}, 400),
        ("", {"email": ANN, "duplicateStrategy": "upsert"}, 400),
        ("", {"email": ANN, "tags": "vip"}, 422),
        ("", {"email": ANN, "tags": [1]}, 422),
        ("", {"email": ANN, "customAttributes": []}, 422),
        ("/tags", {"email": ANN}, 400),
        ("/tags/bulk", {"email": ANN, "tags": []}, 400),
        ("/bulk/tags/remove", {"emails": [ANN] * 501, "tags": ["b"]}, 400),
        ("/bulk/tags/remove", {"emails": [1], "tags": ["b"]}, 422),
        ("/events", {"email": ANN}, 400),
        ("/events", {"email": ANN, "event": "x", "properties": 1}, 422),
        ("/nothing", {}, 405),
    ],
)
def test_what_the_vendor_refuses_is_refused(post: Post, simulator, path, payload, status):
    assert post(BASE + path, payload).status_code == status
    assert simulator.subscribers("sequenzy")["unsubscribed"] == []
