"""Changes of subscribers are checked at the door, and survive their way through the outbox."""

import json
from typing import Any

import pytest

from errors import InvalidMessage
from providers.changes import (
    MAX_ATTRIBUTES,
    MAX_TAGS,
    AddTag,
    RecordEvent,
    RemoveTag,
    Subscribe,
    Unsubscribe,
    change_from_json,
    change_to_json,
    kind_of,
)

ANN = "ann@example.com"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (Subscribe(email=ANN), "subscribe"),
        (
            Subscribe(
                email="Ann <Ann+News@Example.com>",
                first_name=" Ann ",
                tags=["vip", "vip"],
                attributes={"plan": "pro", "seats": 3, "ratio": 0.5, "trial": True, "old": None},
            ),
            "subscribe",
        ),
        (AddTag(email=ANN, tag="paying-customer"), "add-tag"),
        (RemoveTag(email=ANN, tag="x2"), "remove-tag"),
        (RecordEvent(email=ANN, event="saas.purchase", properties={"a b": 1}), "record-event"),
        (Unsubscribe(email=ANN), "unsubscribe"),
    ],
)
def test_a_change_is_the_same_after_the_outbox(change, kind):
    stored = json.loads(json.dumps(change_to_json(change)))
    assert change_from_json(stored) == change
    assert stored["change"] == kind_of(change) == kind


def test_an_address_is_bare_and_in_lower_case():
    assert Subscribe(email="Ann <Ann+News@Example.com>").email == "ann+news@example.com"


def test_tags_are_kept_once_and_names_without_space_around():
    change = Subscribe(email=ANN, first_name=" Ann ", tags=["vip", "beta", "vip"])
    assert (change.first_name, change.tags) == ("Ann", ("vip", "beta"))


BAD: list[tuple[str, type, dict[str, Any]]] = [
    ("email", Subscribe, {"email": "no address"}),
    ("email", Unsubscribe, {"email": ""}),
    ("name", Subscribe, {"first_name": "two\nlines"}),
    ("name", Subscribe, {"last_name": "x" * 101}),
    ("tag", AddTag, {"tag": "Paying Customer"}),
    ("tag", RemoveTag, {"tag": ""}),
    ("tag", Subscribe, {"tags": ["ok", "no_good"]}),
    ("tags", Subscribe, {"tags": [f"t{number}" for number in range(MAX_TAGS + 1)]}),
    ("tags", Subscribe, {"tags": "vip"}),
    ("event", RecordEvent, {"event": " "}),
    ("event", RecordEvent, {"event": "two\nlines"}),
    ("attributes", Subscribe, {"attributes": [("plan", "pro")]}),
    ("attributes", Subscribe, {"attributes": {"plan name": "pro"}}),
    ("attributes", Subscribe, {"attributes": {"1plan": "pro"}}),
    ("attributes", Subscribe, {"attributes": {"x" * 51: "pro"}}),
    ("attributes", Subscribe, {"attributes": {"Plan": "pro", "plan": "team"}}),
    ("attributes", Subscribe, {"attributes": {"plan": ["pro"]}}),
    ("attributes", Subscribe, {"attributes": {"seats": float("nan")}}),
    ("attributes[plan]", Subscribe, {"attributes": {"plan": "two\nlines"}}),
    (
        "attributes",
        Subscribe,
        {"attributes": {f"a{number}": 1 for number in range(MAX_ATTRIBUTES + 1)}},
    ),
    ("attributes", Subscribe, {"attributes": {f"a{number}": "x" * 1000 for number in range(11)}}),
    ("properties", RecordEvent, {"event": "x", "properties": {"plan": {}}}),
    ("properties", RecordEvent, {"event": "x", "properties": {1: "one"}}),
]


@pytest.mark.parametrize(("field", "kind", "fields"), BAD)
def test_what_no_provider_could_keep_is_refused_and_named(field, kind, fields):
    with pytest.raises(InvalidMessage) as refused:
        kind(**({"email": ANN} | fields))
    assert refused.value.field == field
