"""The calls of each change, to the letter, and that the vendors' own libraries make the same.

Where we do otherwise, on purpose: Resend's library sends `{}` as the body of GET and DELETE, we
send none. Sequenzy's does not escape addresses in paths, so it is given them escaped.
"""

import json

import pytest

from tests.providers.listener import Listener, answer
from tests.providers.samples import ID, new_provider
from tests.providers.subscriber_calls import CASES, readable, sent
from tests.providers.subscriber_sdks import SDKS

each_case = pytest.mark.parametrize("name", CASES)


def tell(listener: Listener, name: str) -> None:
    """Let `listener` give the answers of this case."""
    kind = "Content-Type: application/json"
    listener.answers(
        *(answer(status, json.dumps(body).encode(), kind) for status, body in CASES[name].answers)
    )


@each_case
def test_a_change_makes_these_calls(listener: Listener, name: str):
    case = CASES[name]
    tell(listener, name)
    new_provider(case.provider, listener.url).change_subscriber(case.change, ID)
    assert [sent(raw) for raw in listener.requests] == case.calls


@each_case
def test_the_official_sdk_makes_the_same_calls(listener: Listener, monkeypatch, name: str):
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # SendGrid's obeys proxy variables
    vendor, _, what = name.partition(": ")
    tell(listener, name)
    SDKS[vendor](listener.url, what)
    theirs = [readable(sent(raw)) for raw in listener.requests]
    assert [readable(call) for call in CASES[name].calls] == theirs
