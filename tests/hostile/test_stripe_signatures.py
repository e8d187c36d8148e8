"""The corpus of signature headers against the running app: no false accept, no false refusal."""

import json

from tests.hostile.events import WEBHOOK, event, signature
from tests.hostile.stripe_headers import CASES, HEADER_NAMES, NOT_HTTP, Case, fill
from tools.site import Site
from tools.wire import Header, WireAnswer


def post(site: Site, case: Case) -> WireAnswer:
    body = json.dumps(event()).encode()
    lines: list[Header] = [("Stripe-Signature", line) for line in fill(case, body)]
    return site.send("POST", WEBHOOK, lines, body)


def test_every_valid_variant_is_accepted_and_every_other_refused(site: Site):
    wanted = {case.name: 200 if case.accepted else 400 for case in CASES}
    with site.stores(events=sum(case.accepted for case in CASES)):
        assert {case.name: post(site, case).status for case in CASES} == wanted
    assert len(wanted) == len(CASES) >= 70


def test_no_refusal_tells_its_reason(site: Site):
    refused = {post(site, case) for case in CASES if not case.accepted}
    body = json.dumps(event()).encode()
    refused.add(site.send("POST", WEBHOOK, body=body))
    assert len(refused) == 1
    assert json.loads(refused.pop().body) == {"error": "Invalid signature"}


def test_a_signature_that_is_no_http_header_is_refused_by_the_server(site: Site):
    with site.stores():
        for name, template in NOT_HTTP.items():
            answer = post(site, Case(name, template, accepted=False))
            assert (name, answer.status in (400, 431)) == (name, True)


def test_the_signature_counts_under_its_own_name_only(site: Site):
    body = json.dumps(event()).encode()
    _, value = signature(body)
    wanted = {name: 200 if counts else 400 for name, (_, counts) in HEADER_NAMES.items()}
    with site.stores(events=1):  # the same event each time
        given = {
            name: site.send("POST", WEBHOOK, [(header, value)], body).status
            for name, (header, _) in HEADER_NAMES.items()
        }
    assert given == wanted


def test_a_signature_elsewhere_than_in_the_header_is_none(site: Site):
    body = json.dumps(event()).encode()
    _, value = signature(body)
    with site.stores():
        for headers in ([("Cookie", f"Stripe-Signature={value!s}")], [("Authorization", value)]):
            assert site.send("POST", WEBHOOK, headers, body).status == 400
        path = f"{WEBHOOK}?Stripe-Signature={value!s}"
        assert site.send("POST", path, body=body).status == 400
