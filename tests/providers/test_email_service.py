"""`EmailService`: the receipt, the sender, the way along the chain, and what the log says."""

import logging
import socket
from contextlib import suppress
from typing import Any

import pytest

from errors import (
    AuthenticationFailed,
    ConfigurationError,
    EmailSendError,
    InvalidMessage,
    OutcomeUnknown,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    UnsupportedFeature,
)
from extensions import email
from message import EmailMessage
from retry import with_retry
from tests.conftest import MakeApp
from tests.providers.listener import Listener, answer
from tests.providers.samples import PATHS, SECRET_BODY
from tools.simulator_process import Simulator


def settings(simulator: Simulator, chain: str) -> dict[str, str]:
    """The settings of an app whose providers are all the simulator."""
    urls = {f"{name.upper()}_BASE_URL": simulator.url + path for name, path in PATHS.items()}
    keys = {f"{name.upper()}_API_KEY": "key" for name in PATHS}
    return {"EMAIL_PROVIDER": chain, "FROM_EMAIL": "Acme <a@acme.co>", **urls, **keys}


def message(to: str = "ann@example.com", **fields: Any) -> EmailMessage:
    return EmailMessage(to=to, **{"subject": "A secret subject", "html": SECRET_BODY, **fields})


@pytest.mark.parametrize("name", PATHS)
def test_a_send_gives_the_receipt_and_fills_in_the_sender(make_app, simulator, name):
    with make_app(**settings(simulator, name)).app_context():
        receipt = email.send(message())
    [record] = simulator.accepted()
    assert (receipt.provider, receipt.message_id) == (name, record["id"])
    assert (record["provider"], record["from"]) == (name, "Acme <a@acme.co>")


@pytest.mark.parametrize("name", PATHS)
def test_redirected_it_reaches_nobody_else_at_any_provider(make_app, simulator, name):
    only = {"EMAIL_REDIRECT_TO": "QA <qa@acme.co>", "EMAIL_ALLOWED": "acme.co"}
    with make_app(**settings(simulator, name) | only).app_context():
        email.send(message("ann@example.com", cc="bob@example.com", bcc="cem@example.com"))
    [record] = simulator.accepted()
    assert record["recipients"] == ["qa@acme.co"]
    assert record["headers"]["X-Original-To"] == "ann@example.com, bob@example.com, cem@example.com"


def test_the_inbox_of_development_is_told_the_one_recipient_as_well(make_app: MakeApp):
    with make_app(EMAIL_REDIRECT_TO="qa@acme.co").app_context():
        body = email.build("inbox", message("ann@example.com"), "key").body
    assert (b"qa@acme.co" in body, b"ann@example.com" in body) == (True, False)


def test_whom_nobody_allowed_is_refused_before_any_call(make_app: MakeApp, simulator: Simulator):
    given = settings(simulator, "resend,sendgrid") | {"EMAIL_ALLOWED": "acme.co"}
    with make_app(**given).app_context():
        email.send(message("ann@acme.co"))
        refusal = "b\\*\\*\\*@example.com: EMAIL_ALLOWED does not name it"
        with pytest.raises(InvalidMessage, match=refusal):
            email.send(message("ann@acme.co", bcc="bob@example.com"))
    assert [each["recipients"] for each in simulator.accepted()] == [["ann@acme.co"]]


def test_three_plain_strings_are_enough(make_app: MakeApp, simulator: Simulator):
    with make_app(**settings(simulator, "resend")).app_context():
        email.send(EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hello</p>"))
    assert simulator.accepted()[0]["text"] == "Hello"


def test_a_sender_of_the_message_is_kept(make_app: MakeApp, simulator: Simulator):
    with make_app(**settings(simulator, "resend")).app_context():
        email.send(message(from_email="Bo <b@acme.co>"))
    assert simulator.accepted()[0]["from"] == "Bo <b@acme.co>"


@pytest.mark.parametrize("key", [None, "receipt:cs_1"])
def test_the_key_is_the_id_of_the_message_or_what_was_given(make_app, simulator, key):
    sent = message()
    with make_app(**settings(simulator, "resend")).app_context():
        email.send(sent, key=key)
    assert simulator.accepted()[0]["idempotency_key"] == (key or sent.id)


def test_each_app_has_its_own_providers(make_app: MakeApp, simulator: Simulator):
    for name in ("resend", "sendgrid"):
        with make_app(**settings(simulator, name)).app_context():
            assert email.chain == (name,)
            email.send(message())
    assert [each["provider"] for each in simulator.accepted()] == ["resend", "sendgrid"]


# What the first provider of the chain answers, its error, and whether the second one is tried.
FIRST_ANSWERS = [
    (401, b"", AuthenticationFailed, True),
    (403, b"", AuthenticationFailed, True),
    (302, b"", AuthenticationFailed, True),
    (429, b'{"name": "daily_quota_exceeded"}', QuotaExceeded, True),
    (500, b"", ProviderUnavailable, True),
    (503, b"", ProviderUnavailable, True),
    (400, b"", InvalidMessage, False),
    (422, b"", InvalidMessage, False),
    (409, b'{"name": "invalid_idempotent_request"}', InvalidMessage, False),
    (429, b"", RateLimited, False),
    (408, b"", OutcomeUnknown, False),
    (502, b"", OutcomeUnknown, False),
    (504, b"", OutcomeUnknown, False),
]


@pytest.mark.parametrize(("status", "body", "error", "moves_on"), FIRST_ANSWERS)
def test_the_next_provider_is_tried_only_if_no_second_copy_can_come(
    make_app: MakeApp, simulator: Simulator, listener: Listener, status, body, error, moves_on
):
    listener.answers(answer(status, body))
    chain = settings(simulator, "resend,sendgrid") | {"RESEND_BASE_URL": listener.url}
    with make_app(**chain).app_context():
        if moves_on:
            assert email.send(message()).provider == "sendgrid"
        else:
            with pytest.raises(error):
                email.send(message())
        with pytest.raises(error):  # alone, whatever the error allows
            email.send(message(), provider="resend")
    assert len(listener.requests) == 2
    assert len(simulator.accepted()) == int(moves_on)


def test_a_lost_answer_never_moves_on(make_app: MakeApp, simulator: Simulator, listener: Listener):
    listener.says_and_leaves(b"")
    chain = settings(simulator, "resend,sendgrid") | {"RESEND_BASE_URL": listener.url}
    with make_app(**chain).app_context(), pytest.raises(OutcomeUnknown):
        email.send(message())
    assert simulator.accepted() == []


def test_a_refused_connection_moves_on(make_app: MakeApp, simulator: Simulator):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    chain = settings(simulator, "resend,sequenzy") | {"RESEND_BASE_URL": url}
    with make_app(**chain).app_context():
        assert email.send(message()).provider == "sequenzy"
        with pytest.raises(ProviderUnavailable):
            email.send(message(), provider="resend")


def test_what_one_provider_cannot_do_goes_to_the_next(make_app: MakeApp, simulator: Simulator):
    two = message(reply_to=["a@acme.co", "b@acme.co"])
    with make_app(**settings(simulator, "sequenzy,resend")).app_context():
        assert email.send(two).provider == "resend"
        with pytest.raises(UnsupportedFeature):
            email.send(two, provider="sequenzy")


def test_when_all_fail_the_last_error_is_raised(make_app: MakeApp, simulator: Simulator):
    with (
        make_app(**settings(simulator, "resend,sendgrid,sequenzy")).app_context(),
        pytest.raises(AuthenticationFailed) as raised,
    ):
        email.send(message("401@example.com"))
    assert raised.value.provider == "sequenzy"


@pytest.mark.parametrize("name", ["sendgrid", "postmark", "inbox", "Resend"])
def test_a_provider_that_is_not_configured_is_an_error_of_ours(make_app, simulator, name):
    with (
        make_app(**settings(simulator, "resend")).app_context(),
        pytest.raises(ConfigurationError, match=f"{name}.*add it to EMAIL_PROVIDER"),
    ):
        email.send(message(), provider=name)
    assert simulator.accepted() == []


@pytest.mark.parametrize("kind", ["hang-after-accept-1", "drop-after-accept-1"])
@pytest.mark.parametrize("name", ["sequenzy", "resend"])
def test_a_retry_after_a_lost_answer_gives_one_email_where_keys_count(
    make_app: MakeApp, simulator: Simulator, name, kind
):
    sent = message(f"{kind}@example.com")
    waits: list[float] = []
    with make_app(**settings(simulator, name), EMAIL_TIMEOUT=1).app_context():
        receipt = with_retry(lambda: email.send(sent), sleep=waits.append)
    [record] = simulator.accepted()
    assert receipt.message_id == record["id"]
    assert waits


def test_a_lost_answer_of_sendgrid_is_not_retried(make_app: MakeApp, simulator: Simulator):
    with make_app(**settings(simulator, "sendgrid")).app_context(), pytest.raises(OutcomeUnknown):
        with_retry(lambda: email.send(message("drop-after-accept-1@example.com")))
    assert len(simulator.accepted()) == 1


@pytest.mark.parametrize(
    ("first", "calls"),
    [
        ([b"", answer(500)], 1),  # the outcome is unknown, and a repeat would move on
        ([answer(500), answer(200, b"{}")], 2),  # the second's is, and a repeat would come back
    ],
)
def test_a_lost_answer_is_not_retried_where_a_repeat_could_go_elsewhere(
    make_app: MakeApp, simulator: Simulator, listener: Listener, first, calls
):
    def script(connection: socket.socket, number: int) -> None:
        connection.sendall(first[number])
        if not first[number]:
            raise ConnectionError

    listener.script = script
    chain = settings(simulator, "resend,sequenzy") | {"RESEND_BASE_URL": listener.url}
    sent = message("drop-after-accept-1@example.com")
    with make_app(**chain).app_context(), pytest.raises(OutcomeUnknown):
        with_retry(lambda: email.send(sent), sleep=lambda _: None)
    assert len(listener.requests) + len(simulator.accepted()) == calls


@pytest.mark.parametrize(
    ("to", "line"),
    [
        ("ann.lee@example.com", "INFO email accepted email_id={id} to=a***@example.com "
         "provider=resend status=200"),
        ("401@example.com", "WARNING email failed email_id={id} to=4***@example.com "
         "provider=resend status=401 error=AuthenticationFailed"),
        ("drop@example.com", "WARNING email failed email_id={id} to=d***@example.com "
         "provider=resend error=OutcomeUnknown"),
    ],
)  # fmt: skip
def test_the_log_has_one_line_and_nothing_private(make_app, simulator, caplog, to, line):
    sent = message(to)
    app = make_app(**settings(simulator, "resend"))
    with app.app_context(), caplog.at_level(logging.DEBUG), suppress(EmailSendError):
        email.send(sent)
    lines = [
        f"{each.levelname} {each.getMessage()}"
        for each in caplog.records
        if each.name == "email_service"
    ]
    assert lines == [line.format(id=sent.id)]
    for private in (to, "secret", "Nobody"):
        assert private not in caplog.text
