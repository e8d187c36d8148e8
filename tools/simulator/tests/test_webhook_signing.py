"""The vendors' own verifiers accept what the simulator signs, and nothing else."""

import base64
import hashlib
import hmac
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import resend
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sendgrid.helpers.eventwebhook import EventWebhook
from svix.webhooks import Webhook, WebhookVerificationError

from tools.simulator.signing import sendgrid_headers, sequenzy_headers, svix_headers
from tools.simulator.tests.conftest import VENDORS
from tools.simulator.tests.listener import Listener, Received
from tools.simulator.webhook_secrets import SENDGRID_KEY, Secrets, public_key
from tools.simulator_process import ROOT, Simulator

DEVELOPMENT = Secrets().variables()


@pytest.fixture(scope="module")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Received]]:
    """The first POST of each vendor for an email with a subject beyond ASCII."""
    log = tmp_path_factory.mktemp("simulator") / "log.jsonl"
    with Listener() as listener, Simulator(log, ["--webhooks", listener.url]) as simulator:
        for to in VENDORS.values():
            send(simulator, *to("open@example.com"))
        simulator.reported()
        yield {each.provider: each for each in reversed(listener.received)}


def send(simulator: Simulator, path: str, payload: dict[str, object]) -> None:
    answer = requests.post(
        simulator.url + path,
        json=payload | {"subject": "Grüße 🙂"},
        headers={"Authorization": "Bearer key"},
        timeout=10,
    )
    assert answer.ok


def sequenzy_digest(secret: str, received: Received) -> str:
    timestamp = received.headers["x-sequenzy-timestamp"]
    signed = f"v1:{timestamp}:".encode() + received.body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def test_svix_accepts_what_resend_posts(posted: dict[str, Received]):
    received = posted["resend"]
    Webhook(DEVELOPMENT["RESEND_WEBHOOK_SECRET"]).verify(received.body, received.headers)
    assert "Grüße 🙂".encode() in received.body
    with pytest.raises(WebhookVerificationError):
        Webhook(DEVELOPMENT["RESEND_WEBHOOK_SECRET"]).verify(received.body + b" ", received.headers)


def test_resends_client_accepts_what_resend_posts(posted: dict[str, Received]):
    received = posted["resend"]
    event = resend.Webhooks.verify(
        {
            "payload": received.body.decode(),
            "headers": {
                "id": received.headers["svix-id"],
                "timestamp": received.headers["svix-timestamp"],
                "signature": received.headers["svix-signature"],
            },
            "webhook_secret": DEVELOPMENT["RESEND_WEBHOOK_SECRET"],
        }
    )
    assert event["type"] == "email.sent"


def test_sendgrids_client_accepts_what_sendgrid_posts(posted: dict[str, Received]):
    received = posted["sendgrid"]
    verifier = EventWebhook(DEVELOPMENT["SENDGRID_WEBHOOK_PUBLIC_KEY"])
    timestamp = received.headers["x-twilio-email-event-webhook-timestamp"]
    signature = received.headers["x-twilio-email-event-webhook-signature"]
    text = received.body.decode()
    assert verifier.verify_signature(text, signature, timestamp)
    assert text.endswith("}]\r\n")
    assert not verifier.verify_signature(text.strip(), signature, timestamp)


def test_sequenzy_signs_timestamp_and_body_with_the_whole_secret(posted: dict[str, Received]):
    received = posted["sequenzy"]
    expected = sequenzy_digest(DEVELOPMENT["SEQUENZY_WEBHOOK_SECRET"], received)
    assert received.headers["x-sequenzy-signature"] == expected
    assert abs(int(received.headers["x-sequenzy-timestamp"]) - time.time()) < 300


def test_the_fixed_vector_of_svix_is_met():
    body = (
        b'{"type":"email.delivered","created_at":"2025-06-15T15:06:40.000Z",'
        b'"data":{"email_id":"e1","to":["a@example.com"]}}'
    )
    secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
    assert svix_headers([secret], "msg_test1", body, 1750000000) == {
        "svix-id": "msg_test1",
        "svix-timestamp": "1750000000",
        "svix-signature": "v1,mJTHqTLjT9W6digTzDTm/M2TSMnG1xVQS1/7Aqg6anM=",
    }


def test_the_fixed_vector_of_sequenzy_is_met():
    body = (
        b'{"id":"evt_1","type":"email.delivered","object":"event","metric":"delivered",'
        b'"created_at":"2025-06-15T15:06:40.000Z",'
        b'"data":{"email_send_id":"es_1","recipient":"a@example.com"}}'
    )
    assert sequenzy_headers(["whsec_seq_secret"], body, 1750000000) == {
        "X-Sequenzy-Timestamp": "1750000000",
        "X-Sequenzy-Signature": "v1="
        "18d135089276361ca3fdfbc43f1092353d81da4091c14ce845d9af67ca13862e",
    }


def test_what_sendgrid_signs_is_the_timestamp_and_the_body_without_a_break():
    # ECDSA gives another signature each time, so a fixed one cannot be met: this is the body of
    # Twilio's own test under our key.
    body = (
        b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
        b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
        b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-'
        b'5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",'
        b'"timestamp":1600112492}]\r\n'
    )
    headers = sendgrid_headers(SENDGRID_KEY, body, 1600112502)
    assert headers["X-Twilio-Email-Event-Webhook-Timestamp"] == "1600112502"
    signature = headers["X-Twilio-Email-Event-Webhook-Signature"]
    verifier = EventWebhook(public_key(SENDGRID_KEY))
    assert verifier.verify_signature(body.decode(), signature, "1600112502")
    assert verifier.verify_signature("2" + body.decode(), signature, "160011250")


def test_several_secrets_each_sign():
    first, second = (base64.b64encode(name.encode()).decode() for name in ("first", "second"))
    headers = svix_headers([f"whsec_{first}", f"whsec_{second}"], "msg_1", b"{}", int(time.time()))
    for secret in (first, second):
        Webhook(secret).verify(b"{}", headers)
    signature = sequenzy_headers(["one", "two"], b"{}", 1750000000)["X-Sequenzy-Signature"]
    assert [part[:3] for part in signature.split(",")] == ["v1=", "v1="]
    assert len(set(signature.split(","))) == 2


def shown(*options: str) -> dict[str, str]:
    command = [sys.executable, "-m", "tools.simulator", *options, "--show-webhook-secrets"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    return dict(line.split("=", 1) for line in run.stdout.splitlines())


def test_the_secrets_are_shown_as_lines_for_env():
    assert shown() == DEVELOPMENT
    assert list(DEVELOPMENT) == [
        "RESEND_WEBHOOK_SECRET",
        "SEQUENZY_WEBHOOK_SECRET",
        "SENDGRID_WEBHOOK_PUBLIC_KEY",
    ]
    assert DEVELOPMENT["RESEND_WEBHOOK_SECRET"].startswith("whsec_")
    assert len(DEVELOPMENT["SENDGRID_WEBHOOK_PUBLIC_KEY"]) == 124


def test_other_secrets_can_be_given(tmp_path: Path):
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.pem"
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(pem)
    options = ["--resend-webhook-secret", "whsec_b25l,whsec_dHdv"]
    options += ["--sequenzy-webhook-secret", "mine", "--sendgrid-webhook-key", str(file)]
    assert shown(*options) == {
        "RESEND_WEBHOOK_SECRET": "whsec_b25l,whsec_dHdv",
        "SEQUENZY_WEBHOOK_SECRET": "mine",
        "SENDGRID_WEBHOOK_PUBLIC_KEY": public_key(key),
    }
    with (
        Listener() as listener,
        Simulator(tmp_path / "log.jsonl", ["--webhooks", listener.url, *options]) as simulator,
    ):
        for to in VENDORS.values():
            send(simulator, *to("ann@example.com"))
        simulator.reported()
        posted = {each.provider: each for each in listener.received}
    for secret in ("whsec_b25l", "whsec_dHdv"):
        Webhook(secret).verify(posted["resend"].body, posted["resend"].headers)
    sequenzy = posted["sequenzy"]
    assert sequenzy.headers["x-sequenzy-signature"] == sequenzy_digest("mine", sequenzy)
    sendgrid = posted["sendgrid"]
    assert EventWebhook(public_key(key)).verify_signature(
        sendgrid.body.decode(),
        sendgrid.headers["x-twilio-email-event-webhook-signature"],
        sendgrid.headers["x-twilio-email-event-webhook-timestamp"],
    )


@pytest.mark.parametrize(
    "options",
    [
        ["--resend-webhook-secret", "whsec_no base64"],
        ["--sequenzy-webhook-secret", ","],
        ["--sendgrid-webhook-key", "nowhere.pem"],
        ["--sendgrid-webhook-key", "Makefile"],
        ["--webhooks", "ftp://example.com"],
        ["--webhook-hurry", "0"],
    ],
)
def test_an_option_that_cannot_work_is_refused_by_name(options: list[str]):
    command = [sys.executable, "-m", "tools.simulator", *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 2
    assert f"argument {options[0]}: " in run.stderr
