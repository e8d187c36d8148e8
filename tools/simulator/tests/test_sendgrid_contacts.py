"""SendGrid's contacts: the official SDK is the client, plain JSON where the SDK is too kind."""

import json
from typing import Any

import pytest
from python_http_client.exceptions import BadRequestsError, NotFoundError, UnauthorizedError
from sendgrid import SendGridAPIClient

from tools.simulator.tests.conftest import Post
from tools.simulator_process import Simulator

ANN = "ann@example.com"


@pytest.fixture
def api(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # its urllib obeys proxy variables
    return SendGridAPIClient("SG.key", host=simulator.url).client


def put(api: Any, lists: Any = (), **fields: Any) -> Any:
    body = {"contacts": [{"email": ANN, **fields}], "list_ids": list(lists)}
    return api.marketing.contacts.put(request_body=body)


def read(answer: Any) -> Any:
    return json.loads(answer.body)


def make_list(api: Any, name: str) -> str:
    return str(read(api.marketing.lists.post(request_body={"name": name}))["id"])


def make_field(api: Any, name: str, kind: str) -> str:
    body = {"name": name, "field_type": kind}
    return str(read(api.marketing.field_definitions.post(request_body=body))["id"])


def search(api: Any, *emails: str) -> Any:
    found = api.marketing.contacts.search.emails.post(request_body={"emails": list(emails)})
    return read(found)["result"]


def test_a_contact_is_added_updated_and_found(api):
    answer = put(api, first_name="Ann")
    assert (answer.status_code, list(read(answer))) == (202, ["job_id"])
    put(api, last_name="Lee")
    found = search(api, ANN.upper(), "ben@example.com")
    assert (found[ANN]["contact"]["first_name"], found[ANN]["contact"]["last_name"]) == (
        "Ann",
        "Lee",
    )
    assert found["ben@example.com"] == {"error": "contact not found"}
    with pytest.raises(NotFoundError):
        search(api, "ben@example.com")


def test_a_custom_field_goes_by_its_id_and_must_exist(api, simulator):
    with pytest.raises(BadRequestsError):
        put(api, custom_fields={"plan": "pro"})
    plan, seats = make_field(api, "Plan", "Text"), make_field(api, "seats", "Number")
    for wrong in ({plan: 1}, {seats: "three"}, {"Plan": "pro"}):
        with pytest.raises(BadRequestsError):
            put(api, custom_fields=wrong)
    put(api, custom_fields={plan: "pro", seats: 3}, city="Ulm")
    assert simulator.subscribers("sendgrid")["contacts"][0]["attributes"] == {
        "Plan": "pro",
        "seats": 3,
        "city": "Ulm",
    }
    defined = read(api.marketing.field_definitions.get())
    assert [each["name"] for each in defined["custom_fields"]] == ["Plan", "seats"]
    assert api.marketing.field_definitions._(plan).delete().status_code == 204


@pytest.mark.parametrize("name", ["PLAN", "first_name", "two words", "1st"])
def test_a_field_name_is_unique_and_of_letters_digits_and_underscores(api, name):
    make_field(api, "plan", "Text")
    with pytest.raises(BadRequestsError):
        make_field(api, name, "Text")


def test_a_contact_joins_and_leaves_a_list(api, simulator):
    vip = make_list(api, "vip")
    with pytest.raises(BadRequestsError):
        make_list(api, "vip")
    with pytest.raises(NotFoundError):
        put(api, ["unknown"])
    put(api, [vip])
    found = search(api, ANN)[ANN]["contact"]
    assert found["list_ids"] == [vip]
    contacts = api.marketing.lists._(vip).contacts
    for _ in range(2):
        assert contacts.delete(query_params={"contact_ids": found["id"]}).status_code == 202
    assert simulator.subscribers("sendgrid")["contacts"][0]["tags"] == []
    assert api.marketing.lists._(vip).delete().status_code == 204
    with pytest.raises(NotFoundError):
        contacts.delete(query_params={"contact_ids": found["id"]})


def test_lists_come_in_pages(api, simulator):
    for name in ("a", "b", "c"):
        make_list(api, name)
    first = read(api.marketing.lists.get(query_params={"page_size": 2}))
    assert [each["name"] for each in first["result"]] == ["a", "b"]
    assert first["_metadata"]["next"].startswith(f"{simulator.url}/v3/marketing/lists?page_size=2")
    token = first["_metadata"]["next"].rpartition("=")[2]
    query = {"page_size": 2, "page_token": token}
    second = read(api.marketing.lists.get(query_params=query))
    assert [each["name"] for each in second["result"]] == ["c"]
    assert "next" not in second["_metadata"]


def test_anybody_can_be_unsubscribed_from_everything(api, simulator):
    suppressions = api.asm.suppressions._("global")
    assert read(suppressions._(ANN).get()) == {}
    answer = suppressions.post(request_body={"recipient_emails": [ANN]})
    assert (answer.status_code, read(answer)) == (201, {"recipient_emails": [ANN]})
    assert read(suppressions._(ANN).get()) == {"recipient_email": ANN}
    assert simulator.subscribers("sendgrid")["unsubscribed"] == [ANN]


def test_a_bad_key_is_refused(simulator, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(UnauthorizedError):
        put(SendGridAPIClient("bad-key", host=simulator.url).client)


@pytest.mark.parametrize(
    ("method", "path", "payload", "status"),
    [
        ("PUT", "/v3/marketing/contacts", [], 400),
        ("PUT", "/v3/marketing/contacts", {"contacts": []}, 400),
        ("PUT", "/v3/marketing/contacts", {"contacts": [{"email": "ann"}]}, 400),
        ("PUT", "/v3/marketing/contacts", {"contacts": [{"email": ANN}], "list_ids": 1}, 404),
        ("PUT", "/v3/marketing/contacts", {"contacts": [{"email": ANN, "custom_fields": 1}]}, 400),
        (
            "PUT",
            "/v3/marketing/contacts",
            {"contacts": [{"email": ANN, "first_name": "x" * 51}]},
            400,
        ),
        ("POST", "/v3/marketing/contacts/search/emails", {"emails": ["ann"]}, 400),
        ("POST", "/v3/marketing/contacts/search/emails", {"emails": []}, 400),
        ("POST", "/v3/marketing/lists", {"name": "x" * 101}, 400),
        ("GET", "/v3/marketing/lists?page_size=0", None, 400),
        ("GET", "/v3/marketing/lists?page_token=x", None, 400),
        ("POST", "/v3/marketing/field_definitions", {"name": "x", "field_type": "Flag"}, 400),
        ("POST", "/v3/asm/suppressions/global", {"recipient_emails": ["ann"]}, 400),
        ("POST", "/v3/marketing/events", {}, 404),
        ("PATCH", "/v3/marketing/contacts", {}, 405),
    ],
)
def test_what_the_vendor_refuses_is_refused(simulator, session, method, path, payload, status):
    answer = session.request(method, simulator.url + path, json=payload, timeout=10)
    assert answer.status_code == status
    assert simulator.subscribers("sendgrid")["contacts"] == []


def test_clearing_forgets_the_contacts(api, simulator, post: Post):
    put(api)
    post("/v3/asm/suppressions/global", {"recipient_emails": [ANN]})
    simulator.clear()
    assert simulator.subscribers("sendgrid")["contacts"] == []
    assert simulator.subscribers("sendgrid")["unsubscribed"] == []


@pytest.mark.parametrize("kind", ["500", "429", "503"])
def test_who_misbehaves_for_a_send_does_so_for_a_change(simulator, session, kind):
    email = f"{kind}-1@example.com"
    body = {"contacts": [{"email": email}]}
    url = f"{simulator.url}/v3/marketing/contacts"
    told = [session.put(url, json=body, timeout=10).status_code for _ in range(2)]
    assert told == [int(kind), 202]
