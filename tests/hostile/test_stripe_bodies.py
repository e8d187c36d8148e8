"""What a true signature may still carry: no payload breaks the webhook, poison costs one row."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from tests.hostile.events import WEBHOOK, checkout, event, new_event_id, post_event, signature
from tools.site import OURS, Site
from tools.wire import chunked, exchange, request
from webhooks import ReceivedEvent

LIMIT = 1024 * 1024

NO_EVENT: dict[str, bytes] = {
    "empty": b"",
    "space": b" ",
    "NUL": b"\0",
    "no JSON": b"id=evt_1&type=customer.created",
    "half an object": b'{"id": "evt_1", "type": "x"',
    "two objects": b'{"id": "evt_1", "type": "x"} {}',
    "list": b'[{"id": "evt_1", "type": "x"}]',
    "text": b'"evt_1"',
    "null": b"null",
    "number": b"1",
    "NaN": b"NaN",
    "1e400": b"1e400",
    "100,000 lists": b"[" * 100_000,
    "100,000 closed lists": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"id":' * 100_000,
    "deep inside an event": b'{"id":"evt_1","type":"x","data":'
    + b"[" * 99_999
    + b"]" * 99_999
    + b"}",
    "number of 5,000 digits": b'{"id": "evt_1", "type": "x", "created": ' + b"9" * 5000 + b"}",
    "bad UTF-8": b'{"id": "evt_1", "type": "x", "name": "\xff"}',
    "half of a pair in UTF-8": b'{"id": "evt_1", "type": "x", "name": "\xed\xa0\x80"}',
    "UTF-16": '{"id": "evt_1", "type": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"id": "evt_1", "type": "x"}',
    "raw NUL in a text": b'{"id": "evt_1", "type": "x", "name": "\x00"}',
    "raw line break in a text": b'{"id": "evt_1", "type": "x", "name": "\n"}',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00",
    "no id": b'{"type": "x"}',
    "no type": b'{"id": "evt_1"}',
    "id null": b'{"id": null, "type": "x"}',
    "id a number": b'{"id": 1, "type": "x"}',
    "id a list": b'{"id": ["evt_1"], "type": "x"}',
    "id empty": b'{"id": "", "type": "x"}',
    "id with NUL": b'{"id": "evt\\u0000", "type": "x"}',
    "id with half of a pair": b'{"id": "evt\\ud800", "type": "x"}',
    "id with a space": b'{"id": "evt 1", "type": "x"}',
    "id with a line break": b'{"id": "evt_1\\n", "type": "x"}',
    "id of 256 letters": b'{"id": "' + b"e" * 256 + b'", "type": "x"}',
    "type an object": b'{"id": "evt_1", "type": {}}',
    "type with NUL": b'{"id": "evt_1", "type": "x\\u0000"}',
}


def test_a_signed_body_that_is_no_event_is_refused_in_one_way(site: Site):
    with site.stores():
        answers = {name: post_event(site, body) for name, body in NO_EVENT.items()}
        assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(
            NO_EVENT, 400
        )
    assert len(set(answers.values())) == 1


def failed(**invoice: Any) -> dict[str, Any]:
    """A failed payment whose invoice has these parts over usable ones."""
    usable = {
        "id": f"in_{new_event_id()}",
        "customer_email": "ann@example.com",
        "amount_due": 100,
        "currency": "usd",
        "attempt_count": 1,
    }
    return event("invoice.payment_failed", data={"object": usable | invoice})


def paid(**session: Any) -> dict[str, Any]:
    return checkout("ann@example.com", **session)


def customer(address: Any) -> dict[str, Any]:
    return paid(customer_details={"email": address})


POISON: dict[str, dict[str, Any]] = {
    "no data": event("checkout.session.completed"),
    "data null": event("checkout.session.completed", data=None),
    "data a list": event("checkout.session.completed", data=[]),
    "object a text": event("checkout.session.completed", data={"object": "cs_1"}),
    "no address at all": paid(customer_details=None),
    "address of two lines": customer("ann@example.com\r\nBcc: all@example.org"),
    "address with NUL": customer("ann\0@example.com"),
    "address with half of a pair": customer("ann\ud800@example.com"),
    "address with a line separator": customer("ann@example.com\u2028"),
    "two addresses": customer("ann@example.com, bob@example.com"),
    "address of 100,000 letters": customer("a" * 100_000),
    "address with strange letters": customer("\u202eann\u200b@\u212aexample.com\ufffe"),
    "amount a text": paid(amount_total="2900"),
    "amount a fraction": paid(amount_total=29.5),
    "amount true": paid(amount_total=True),
    "amount null": paid(amount_total=None),
    "amount NaN": paid(amount_total=float("nan")),
    "amount without end": paid(amount_total=float("inf")),
    "amount of 4,000 digits": paid(amount_total=10**4000),
    "currency null": paid(currency=None),
    "currency a list": paid(currency=["usd"]),
    "currency of two lines": paid(currency="us\r\nd"),
    "currency with half of a pair": paid(currency="us\ud800"),
    "currency with NUL": paid(currency="us\0"),
    "plan with NUL": paid(metadata={"plan": "Pro\0"}),
    "plan with half of a pair": paid(metadata={"plan": "Pro\ud800"}),
    "id missing": paid(id=None),
    "id of 10,000 letters": paid(id="c" * 10_000),
    "id with NUL": paid(id="cs\0"),
    "id with half of a pair": paid(id="cs\ud800"),
    "attempt of 10,000 letters": failed(attempt_count="1" * 10_000),
    "attempt with half of a pair": failed(attempt_count="\ud800"),
    "invoice without address": failed(customer_email=None),
    "invoice amount missing": failed(amount_due=None),
}


def test_a_poison_event_costs_one_row_and_no_email(site: Site):
    with site.stores(events=len(POISON)):
        given = {name: post_event(site, poison).status for name, poison in POISON.items()}
    assert given == dict.fromkeys(POISON, 200)
    with site.engine.connect() as connection:
        ids = [poison["id"] for poison in POISON.values()]
        found = select(ReceivedEvent.outcome, ReceivedEvent.error).where(
            ReceivedEvent.event_id.in_(ids)
        )
        rows = connection.execute(found).all()
    assert {outcome for outcome, _ in rows} == {"rejected"}
    assert all(error and error.isprintable() for _, error in rows)


ODD_BUT_USABLE: dict[str, dict[str, Any]] = {
    "link without https": paid(invoice_url="javascript:alert(1)"),
    "link as data": paid(invoice_url="data:text/html,evil"),
    "link without a scheme": paid(invoice_url="//evil.example/"),
    "link a number": paid(invoice_url=5),
    "link that breaks out": paid(invoice_url='https://x.example/"><script>evil()</script>'),
    "template as plan": paid(metadata={"plan": "{{7*7}}{% include 'x' %}<script>evil()</script>"}),
    "metadata a text": paid(metadata="plan"),
    "created in the year 10000": paid() | {"created": 253_402_300_800},
    "created negative": paid() | {"created": -1},
    "created a text": paid() | {"created": "now"},
    "lower than nothing": paid(amount_total=-5),
    "15 digits": paid(amount_total=10**15 - 1),
    "no code of a currency": paid(currency="zzzzzz"),
    "half of a pair where nobody looks": paid(description="\ud800\0"),
    "next attempt far away": failed(next_payment_attempt=10**14),
    "attempt an object": failed(attempt_count={"n": 1}),
    "link of an invoice": failed(hosted_invoice_url="http://evil.example/"),
}
EVIL = ("<script", "javascript:", "data:text", "evil.example", "49{%")


@pytest.mark.parametrize("name", ODD_BUT_USABLE)
def test_an_odd_part_is_left_out_or_escaped_and_the_email_goes_out(site: Site, name: str):
    odd = ODD_BUT_USABLE[name]
    with site.stores(events=1, outbox=1):
        assert post_event(site, odd).status == 200
    html = site.html_to("ann@example.com")
    assert [evil for evil in EVIL if evil in html] == []


CONTENT_TYPES = (
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "nonsense",
    "application/json; charset=utf-16",
)


def test_the_content_type_of_a_signed_event_changes_nothing(site: Site):
    with site.stores(events=len(CONTENT_TYPES) + 1):
        for content_type in CONTENT_TYPES:
            answer = post_event(site, event(), ("Content-Type", content_type))
            assert (content_type, answer.status) == (content_type, 200)
        assert post_event(site, event(), ("X-No-Content-Type", "")).status == 200


def padded(size: int) -> bytes:
    """An event that is as long as this; blanks at its end are good JSON."""
    return json.dumps(event()).encode().ljust(size)


def test_an_event_up_to_the_limit_is_taken_and_one_above_it_is_not(site: Site):
    with site.stores(events=1):
        assert post_event(site, padded(LIMIT)).status == 200
        assert post_event(site, padded(LIMIT + 1)).status == 413
        assert post_event(site, padded(5 * LIMIT)).status == 413


def test_chunks_hide_no_length(site: Site):
    def post_chunked(body: bytes) -> int:
        headers = [*OURS, ("Transfer-Encoding", "chunked"), signature(body)]
        return exchange(site.port, request("POST", WEBHOOK, headers) + chunked(body)).status

    with site.stores(events=1):
        assert post_chunked(padded(LIMIT // 2)) == 200
        assert post_chunked(padded(LIMIT + 10_000)) == 413
        # Signed as far as the limit: whoever cuts the rest off finds the signature true.
        whole = padded(LIMIT)
        headers = [*OURS, ("Transfer-Encoding", "chunked"), signature(whole)]
        data = request("POST", WEBHOOK, headers) + chunked(whole + b"x" * 10_000)
        assert exchange(site.port, data).status == 413
