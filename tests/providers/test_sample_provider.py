"""One file in `providers/` is a whole provider: its settings, its sending, its webhook."""

import hmac
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.providers.listener import Listener, answer

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).with_name("sample_provider.py")
NOT_OURS = (".*", "tests", "build", "instance", "__pycache__")  # what no app needs to run

STORY = """
import json, sys
import config
from app import create_app

client = create_app().test_client()
body, signature = sys.argv[1:]
queued = client.post("/api/send", json={"name": "Ann", "email": "ann@example.com"}).json
show = lambda: client.get(f"/api/emails/{queued['id']}").json
sent = show()
post = lambda sign: client.post(
    "/api/webhooks/acme", data=body, headers={"X-Acme-Signature": sign}
).status_code
print(json.dumps({
    "settings": [each.name for each in config.SETTINGS if each.name.startswith("ACME")],
    "sent": [sent["status"], sent["provider"], sent["provider_message_id"]],
    "forged": post("0" * 64),
    "genuine": post(signature),
    "marks": show()["marks"],
}))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with the sample provider in it."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_OURS))
    shutil.copy(SAMPLE, folder / "providers" / "acme.py")
    return folder


@pytest.fixture
def settings(sqlite_url: str) -> dict[str, str]:
    """The least that the sample needs in development."""
    return {
        "FLASK_DEBUG": "1",
        "EMAIL_DELIVERY": "sync",
        "DATABASE_URL": sqlite_url,
        "EMAIL_PROVIDER": "acme",
        "ACME_API_KEY": "acme-key",
        "ACME_WEBHOOK_SECRET": "old-secret,acme-secret",
    }


def run(
    project: Path, settings: dict[str, str], code: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run Python `code` in the project, with these settings alone."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=project,
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_sends_and_hears_of_a_bounce(
    project: Path, settings: dict[str, str], listener: Listener
):
    listener.answers(answer(200, b'{"id":"acme-1"}'))
    body = json.dumps(
        {"id": "evt_1", "type": "bounced", "message_id": "acme-1", "reason": "550 5.1.1 gone"}
    )
    signature = hmac.new(b"acme-secret", body.encode(), "sha256").hexdigest()
    done = run(project, settings | {"ACME_BASE_URL": listener.url}, STORY, body, signature)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told == {
        "settings": ["ACME_API_KEY", "ACME_BASE_URL", "ACME_RATE", "ACME_WEBHOOK_SECRET"],
        "sent": ["accepted", "acme", "acme-1"],
        "forged": 400,
        "genuine": 200,
        "marks": ["bounced"],
    }
    [request] = listener.requests
    assert request.startswith(b"POST /send HTTP/1.1\r\n")
    assert b"Authorization: Bearer acme-key\r\n" in request
    assert b'"to": "ann@example.com"' in request


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ACME_API_KEY": ""}, "ACME_API_KEY is required for EMAIL_PROVIDER=acme"),
        ({"ACME_BASE_URL": "http://acme.example"}, "ACME_BASE_URL must start with https://"),
        (
            {"EMAIL_PROVIDER": "acne"},
            "EMAIL_PROVIDER does not know 'acne'; choose from acme, resend, sendgrid, sequenzy",
        ),
    ],
)
def test_its_settings_are_checked_at_start(
    project: Path, settings: dict[str, str], change: dict[str, str], problem: str
):
    done = run(project, settings | change, "from app import create_app; create_app()")
    assert done.returncode == 1
    assert problem in done.stderr
