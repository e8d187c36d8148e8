"""What holds for the subscribers of every vendor, against the simulator over real HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from errors import (
    AuthenticationFailed,
    EmailSendError,
    InvalidMessage,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    UnsupportedFeature,
)
from providers.base import Answer, WireRequest
from providers.changes import (
    AddTag,
    RecordEvent,
    RemoveTag,
    Subscribe,
    SubscriberChange,
    Unsubscribe,
)
from providers.http import HttpProvider
from providers.inbox import Inbox
from providers.subscribers import Call
from tests.providers.samples import PATHS, MakeProvider, new_provider, through
from tools.simulator_process import Simulator

ANN = "ann@example.com"
LEAVE = Unsubscribe(email=ANN)
HOSTILE = [
    "ann+news@example.com", "a/b@example.com", "a?b=c#d@example.com", "%2e%2e@example.com",
    "o'hara@example.com", "a&b@example.com", "a%2fb@example.com", "{x}|y^z`~@example.com",
]  # fmt: skip

Change = Callable[[SubscriberChange], None]


@pytest.fixture
def change(provider: HttpProvider) -> Change:
    """`change(AddTag(...), key="e-1")`: make a change at the vendor in turn."""

    def make(change: SubscriberChange, key: str = "key") -> None:
        provider.change_subscriber(change, key)

    return make


@pytest.fixture
def kept(provider: HttpProvider, simulator: Simulator) -> Callable[[], dict[str, Any]]:
    """What this vendor's simulator keeps now."""
    return lambda: simulator.subscribers(provider.name)


def ann(**fields: Any) -> Subscribe:
    return Subscribe(email=ANN, **fields)


def full() -> Subscribe:
    attributes = {"plan": "pro", "seats": 3, "trial": True, "ratio": 1.5}
    return ann(first_name="Ann", last_name="Müller", tags=["vip", "beta"], attributes=attributes)


def only(kept: dict[str, Any], email: str = ANN) -> dict[str, Any]:
    [contact] = kept["contacts"]
    assert contact["email"] == email
    return {name: value for name, value in contact.items() if name not in ("id", "email")}


def test_a_new_subscriber_has_names_tags_and_attributes(change, kept, provider):
    change(full())
    values = {"plan": "pro", "seats": 3, "trial": True, "ratio": 1.5}
    text_only = provider.name != "sequenzy"
    assert only(kept()) == {
        "first_name": "Ann",
        "last_name": "Müller",
        "tags": ["vip", "beta"],
        "attributes": values | ({"trial": "true"} if text_only else {}),
    }


def test_a_subscriber_of_an_address_alone(change, kept):
    change(ann())
    change(ann())
    assert only(kept()) == {"first_name": "", "last_name": "", "tags": [], "attributes": {}}


def test_twice_is_once(change, kept):
    change(full())
    once = kept()
    change(full())
    assert kept() == once


def test_an_existing_subscriber_is_brought_up_to_date_and_keeps_the_rest(change, kept):
    change(full())
    change(ann(first_name="Anna", tags=["new", "vip"], attributes={"plan": "team", "city": "Ulm"}))
    contact = only(kept())
    assert (contact["first_name"], contact["last_name"]) == ("Anna", "Müller")
    assert sorted(contact["tags"]) == ["beta", "new", "vip"]
    assert contact["attributes"]["plan"] == "team"
    assert contact["attributes"]["city"] == "Ulm"
    assert contact["attributes"]["seats"] == 3


def test_an_attribute_of_none_is_cleared(change, kept):
    change(ann(attributes={"plan": "pro", "seats": 3}))
    change(ann(attributes={"plan": None, "never_there": None}))
    attributes = only(kept())["attributes"]
    assert {name: value for name, value in attributes.items() if value is not None} == {"seats": 3}


def test_who_unsubscribed_stays_so_through_every_other_change(change, kept, provider):
    change(ann())
    change(LEAVE)
    change(full())
    change(AddTag(email=ANN, tag="vip"))
    change(RemoveTag(email=ANN, tag="vip"))
    if provider.name != "sendgrid":
        change(RecordEvent(email=ANN, event="trial.started"))
    assert kept()["unsubscribed"] == [ANN]


def test_unsubscribing_twice_is_once(change, kept):
    change(ann())
    change(LEAVE)
    change(LEAVE)
    assert kept()["unsubscribed"] == [ANN]


def test_who_unsubscribes_before_the_subscription_arrives_stays_unsubscribed(change, kept):
    change(LEAVE)
    change(full())
    assert kept()["unsubscribed"] == [ANN]
    assert only(kept())["first_name"] == "Ann"


def test_a_tag_given_twice_is_there_once(change, kept):
    change(ann(tags=["beta"]))
    change(AddTag(email=ANN, tag="vip"))
    change(AddTag(email=ANN, tag="vip"))
    assert only(kept())["tags"] == ["beta", "vip"]
    assert len(kept()["groups"]) in (0, 2)


def test_a_tag_makes_a_subscriber_of_an_address_that_is_none(change, kept):
    change(AddTag(email=ANN, tag="vip"))
    change(ann(first_name="Ann"))
    assert (only(kept())["tags"], only(kept())["first_name"]) == (["vip"], "Ann")


def test_a_tag_taken_away_twice_is_gone_and_the_others_stay(change, kept):
    change(ann(tags=["vip", "beta"]))
    change(RemoveTag(email=ANN, tag="vip"))
    change(RemoveTag(email=ANN, tag="vip"))
    assert only(kept())["tags"] == ["beta"]


def test_taking_away_what_is_not_there_does_nothing(change, kept):
    change(RemoveTag(email=ANN, tag="never"))  # neither tag nor subscriber
    assert kept()["contacts"] == []
    assert kept()["groups"] == []
    change(AddTag(email="ben@example.com", tag="vip"))
    change(RemoveTag(email=ANN, tag="vip"))  # a tag, and no subscriber
    assert only(kept(), "ben@example.com")["tags"] == ["vip"]
    change(ann())
    change(RemoveTag(email=ANN, tag="vip"))  # both, but not on each other


@pytest.mark.parametrize(("name", "times"), [("sequenzy", 1), ("resend", 2)])
def test_an_event_counts_once_a_key_where_the_vendor_can_tell(
    make_provider: MakeProvider, simulator, name, times
):
    event = RecordEvent(email=ANN, event="trial.started", properties={"days": 14, "free": True})
    provider = make_provider(name)
    provider.change_subscriber(event, "key-1")
    provider.change_subscriber(event, "key-1")
    assert len(simulator.subscribers(name)["events"]) == times
    provider.change_subscriber(event, "key-2")
    last = simulator.subscribers(name)["events"][-1]
    assert (last["email"], last["event"]) == (ANN, "trial.started")
    assert last["properties"] == {"days": 14, "free": True}
    assert len(simulator.subscribers(name)["events"]) == times + 1


def test_sendgrid_says_that_it_has_no_events_before_any_call(make_provider, simulator):
    provider, event = make_provider("sendgrid"), RecordEvent(email=ANN, event="trial.started")
    for attempt in (provider.check_change, lambda each: provider.change_subscriber(each, "key")):
        with pytest.raises(UnsupportedFeature, match="sendgrid cannot record-event: it has no ev"):
            attempt(event)
    assert simulator.subscribers("sendgrid")["contacts"] == []


@pytest.mark.parametrize("kind", [full(), AddTag(email=ANN, tag="x"), LEAVE])
def test_a_check_calls_nobody(provider, kept, kind):
    provider.check_change(kind)
    Inbox().check_change(kind)
    assert kept()["contacts"] == []


def test_a_provider_without_a_marketing_side_says_so(provider, monkeypatch):
    monkeypatch.setattr(provider, "_subscribers", None)
    for attempt in (provider.check_change, lambda each: provider.change_subscriber(each, "key")):
        with pytest.raises(UnsupportedFeature, match=f"{provider.name} keeps no subscribers"):
            attempt(LEAVE)


@pytest.mark.parametrize("email", HOSTILE)
def test_every_usable_address_arrives_as_it_is(change, kept, email):
    change(Subscribe(email=email, first_name="Ann", tags=["beta"]))
    change(Subscribe(email=email, last_name="Lee"))
    change(AddTag(email=email, tag="vip"))
    change(RemoveTag(email=email, tag="beta"))
    change(Unsubscribe(email=email))
    contact = only(kept(), email)
    assert (contact["first_name"], contact["last_name"]) == ("Ann", "Lee")
    assert contact["tags"] == ["vip"]
    assert kept()["unsubscribed"] == [email]


@pytest.mark.parametrize(
    "name", ['"><script>', "{{x}}", "Ann\\", "名前 🎉", "'; DROP TABLE", "%s%n", "x" * 50]
)
def test_a_hostile_name_or_value_arrives_as_it_is(change, kept, name):
    change(ann(first_name=name, last_name=name, attributes={"company": name}))
    change(ann(first_name=name, last_name=name, attributes={"company": name}))
    contact = only(kept())
    assert (contact["first_name"], contact["last_name"]) == (name, name)
    assert contact["attributes"] == {"company": name}


def test_the_case_of_an_address_makes_no_second_subscriber(change, kept):
    change(Subscribe(email="Ann@Example.com"))
    change(ann(first_name="Ann"))
    assert only(kept())["first_name"] == "Ann"


ERRORS: dict[str, tuple[type[EmailSendError], int]] = {
    "400": (InvalidMessage, 400),
    "401": (AuthenticationFailed, 401),
    "403": (AuthenticationFailed, 403),
    "422": (InvalidMessage, 422),
    "429": (RateLimited, 429),
    "500": (ProviderUnavailable, 500),
    "503": (ProviderUnavailable, 503),
    "502": (OutcomeUnknown, 502),
    "html": (OutcomeUnknown, 502),
    "drop": (OutcomeUnknown, 0),
    "redirect": (AuthenticationFailed, 302),
}
KINDS: list[Callable[[str], SubscriberChange]] = [
    lambda email: Subscribe(email=email, first_name="Ann", attributes={"plan": "pro"}),
    lambda email: AddTag(email=email, tag="vip"),
    lambda email: Unsubscribe(email=email),
]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("make", KINDS)
def test_an_error_is_the_same_member_of_the_tree_as_of_a_send(provider, simulator, kind, make):
    expected, status = ERRORS[kind]
    with pytest.raises(EmailSendError) as raised:
        provider.change_subscriber(make(f"{kind}@example.com"), "key")
    assert (type(raised.value), raised.value.status) == (expected, status)
    assert raised.value.provider == provider.name


@pytest.mark.parametrize("kind", ["500-3", "429-3", "drop-3", "drop-after-accept-3"])
@pytest.mark.parametrize("make", KINDS)
def test_trying_again_after_a_passing_failure_makes_the_change(change, kept, kind, make):
    email = f"{kind}@example.com"
    failures = 0
    while failures < 4:
        try:
            change(make(email))
            break
        except EmailSendError:
            failures += 1
    assert 0 < failures < 4
    known = [each["email"] for each in kept()["contacts"]] + kept()["unsubscribed"]
    assert email in known


def test_a_refused_key_is_our_fault_and_not_the_subscribers(simulator):
    for name, path in PATHS.items():
        refused = new_provider(name, simulator.url + path, api_key="bad-key")
        with pytest.raises(AuthenticationFailed):
            refused.change_subscriber(full(), "key")


class Killed(Exception):
    """The process died."""


def dying(provider: HttpProvider, calls: int) -> HttpProvider:
    """`provider`, whose process dies after so many calls: nothing it learned is left."""
    made = 0

    def around(call: Call, request: WireRequest) -> Answer:
        nonlocal made
        if made == calls:
            raise Killed
        made += 1
        return call(request)

    return through(provider, around)


LIVES: list[list[SubscriberChange]] = [
    [full()],
    [ann(first_name="Old", tags=["beta"], attributes={"plan": "free"}), full()],
    [AddTag(email=ANN, tag="vip")],
    [ann(tags=["vip", "beta"]), RemoveTag(email=ANN, tag="vip")],
    [LEAVE],
    [ann(), LEAVE],
]


@pytest.mark.parametrize("life", LIVES, ids=["new", "old", "tag", "untag", "stranger", "leave"])
@pytest.mark.parametrize("name", PATHS)
def test_a_change_killed_between_any_two_calls_ends_the_same_when_repeated(
    make_provider: MakeProvider, simulator: Simulator, name: str, life
):
    def outcome(calls: int) -> tuple[bool, dict[str, Any]]:
        simulator.clear()
        *before, last = life
        for change in before:
            make_provider(name).change_subscriber(change, "key")
        try:
            dying(make_provider(name), calls).change_subscriber(last, "key")
            whole = True
        except Killed:
            whole = False
            make_provider(name).change_subscriber(last, "key")
        kept = simulator.subscribers(name)
        for contact in kept["contacts"]:
            del contact["id"]
            contact["tags"].sort()
        return whole, {key: sorted(kept[key], key=str) for key in kept}

    whole, expected = outcome(100)
    assert whole
    calls = 0
    while not whole or calls == 0:
        whole, ended = outcome(calls)
        assert ended == expected, f"killed after {calls} calls"
        calls += 1
    assert calls > 1
