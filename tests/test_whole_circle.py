"""App and provider over real HTTP: what is sent comes back as events, which decide what follows.

The simulator reports as each vendor does, signed, some of it twice and out of order.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from attrs import frozen
from flask import Flask

import emails
from app import create_app
from background import send_in_background
from extensions import db
from message import EmailMessage
from testing import TEST_SETTINGS
from tools.processes import Process, free_port, wait_until
from tools.simulator.application import DIALECTS
from tools.simulator.webhook_secrets import Secrets
from tools.simulator_process import Simulator

TOKEN = {"Authorization": "Bearer a-token-of-these-tests"}


@frozen
class Circle:
    """The app as a process, an app on the same database to enqueue with, and the provider."""

    url: str
    app: Flask
    simulator: Simulator
    provider: str

    def send(self, message: EmailMessage) -> str:
        """Enqueue and commit; the running app sends it."""
        with self.app.app_context():
            row_id = send_in_background(message).id
            db.session.commit()
        return row_id

    def news_to(self, address: str) -> EmailMessage:
        with self.app.app_context():
            return emails.onboarding_day_3(to=address, name="Ann")

    def show(self, email_id: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/api/emails/{email_id}", headers=TOKEN, timeout=10)
        shown: dict[str, Any] = answer.json()
        return shown

    def wait_for(self, email_id: str, **wanted: Any) -> dict[str, Any]:
        """What the API says once these fields have these values."""

        def arrived() -> bool:
            shown = self.show(email_id)
            return all(shown[name] == value for name, value in wanted.items())

        wait_until(arrived, f"{wanted} of {self.show(email_id)}")
        return self.show(email_id)


@pytest.fixture(scope="module", params=[each.name for each in DIALECTS])
def circle(
    request: pytest.FixtureRequest, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Circle]:
    """Each provider in turn."""
    name: str = request.param
    folder = tmp_path_factory.mktemp("circle")
    (folder / "app.db").write_bytes(migrated_sqlite.read_bytes())
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["--webhooks", f"{url}/api/webhooks", "--webhook-duplicates", "0.5"]
    options += ["--webhook-reorder", "--webhook-hurry", "100"]
    with Simulator(folder / "log.jsonl", options) as simulator:
        settings = {
            "FLASK_DEBUG": "1",  # production refuses the simulator's secrets
            "SECRET_KEY": "a-secret-of-these-tests-alone-0123456789",
            "APP_URL": url,
            "FROM_EMAIL": "Shop <shop@example.com>",
            "EMAIL_PROVIDER": name,
            f"{name.upper()}_API_KEY": "key-of-these-tests",
            f"{name.upper()}_BASE_URL": simulator.url + ("/api/v1" if name == "sequenzy" else ""),
            "EMAIL_SWEEP": "0.2",
            "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
            "API_TOKEN": "a-token-of-these-tests",
            "RATELIMIT_ENABLED": "false",
            **Secrets().variables(),
        }
        command = ["gunicorn", "app:app", "-w", "1", "--bind", f"127.0.0.1:{port}"]
        with Process(command, settings, folder / "web.log") as web:
            web.wait_for_http(f"{url}/healthz")
            app = create_app(TEST_SETTINGS | settings | {"EMAIL_DELIVERY": "thread"})
            yield Circle(url, app, simulator, name)
        with app.app_context():
            db.engine.dispose()


def test_after_a_hard_bounce_the_address_gets_no_second_email(circle: Circle):
    body = {"email": "bounce@example.com", "name": "Ann"}
    sent = requests.post(f"{circle.url}/api/send", json=body, headers=TOKEN, timeout=10).json()
    # Both, because the event may come before the app has recorded the provider's answer.
    shown = circle.wait_for(sent["id"], marks=["bounced"], status="accepted")
    assert [each["type"] for each in shown["timeline"]].count("bounced") == 1
    again = requests.post(f"{circle.url}/api/send", json=body, headers=TOKEN, timeout=10).json()
    assert again["status"] == "suppressed"
    assert len(circle.simulator.accepted("bounce@example.com")) == 1


def test_after_a_complaint_about_news_a_reset_still_goes(circle: Circle):
    address = "complaint@example.com"
    circle.wait_for(circle.send(circle.news_to(address)), marks=["complained"])
    newsletter = circle.send(circle.news_to(address))
    with circle.app.app_context():
        reset = emails.password_reset(to=address, reset_url=f"{circle.url}/reset-password?token=x")
    shown = circle.wait_for(circle.send(reset), status="accepted")
    assert circle.show(newsletter)["status"] == "suppressed"
    assert shown["provider"] == circle.provider


def test_who_unsubscribes_at_the_provider_gets_no_more_news(circle: Circle):
    address = "unsubscribe@example.com"
    first = circle.send(circle.news_to(address))
    wait_until(
        lambda: circle.show(circle.send(circle.news_to(address)))["status"] == "suppressed",
        f"{address} to be suppressed",
    )
    circle.wait_for(first, delivery_status="delivered")


def test_what_was_opened_and_clicked_was_delivered_too(circle: Circle):
    email_id = circle.send(circle.news_to("open@example.com"))
    whole = {"enqueued", "attempt", "accepted", "delivered", "opened", "clicked"}
    wait_until(
        lambda: whole <= {each["type"] for each in circle.show(email_id)["timeline"]},
        f"{whole} of {circle.show(email_id)}",
    )
    assert circle.show(email_id)["delivery_status"] == "clicked"


def test_whatever_is_reported_is_heard_at_the_first_try(circle: Circle):
    circle.send(circle.news_to("ann@example.com"))
    wait_until(lambda: bool(circle.simulator.accepted("ann@example.com")), "the email")
    assert {each["status"] for each in circle.simulator.reported()} == {200}
