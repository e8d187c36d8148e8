"""Each broken setting gives exactly one finding, by its name; a healthy app gives none."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text as sql

import cli.doctor.accounts
import outbox
import subscribers
from cli.doctor.checks import Check, Verdict
from cli.doctor.delivery import check_redis
from cli.doctor.leftovers import check_leftovers
from database import db, utc_now
from errors import AuthenticationFailed
from message import EmailMessage
from outbox import Lane, State
from tests.cli.doctor.clinic import DOMAIN, Clinic, good_zone
from tests.cli.doctor.keys import OTHER_SVIX, rsa_key
from tests.cli.doctor.name_server import NameServer, text
from tests.conftest import MakeApp
from tests.providers.listener import Listener, answer
from tools.processes import PRODUCTION, Process, free_port
from tools.servers import Valkey
from tools.simulator_process import Simulator

PROVIDERS = ("resend", "sendgrid", "sequenzy")
NewClinic = Callable[[str], Clinic]


@pytest.fixture
def new_clinic(make_app: MakeApp, simulator: Simulator) -> Iterator[NewClinic]:
    """`new_clinic("resend")`: a healthy app with that provider."""
    with NameServer(good_zone()) as names:
        yield lambda provider: Clinic(make_app, names, provider, simulator.url)


@pytest.fixture
def clinic(new_clinic: NewClinic) -> Clinic:
    """A healthy app with Resend."""
    return new_clinic("resend")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_healthy_app_gives_none_and_no_email_leaves(
    new_clinic: NewClinic, simulator: Simulator, provider: str
):
    clinic = new_clinic(provider)
    clinic.settings["APP_NAME"] = "Your App"
    verdicts = clinic.examine()
    bad = {name: verdict for name, verdict in verdicts.items() if verdict not in ("ok", "skipped")}
    # It is on loopback, without a proxy, with a short key and the sample name, and sends in the
    # request.
    hints = ["app-url", "proxy", "app-name", "secret-key", "delivery"]
    assert bad == dict.fromkeys(hints, "hint")
    assert {"database", "clock", f"{provider}-account", f"{provider}-webhook", "web"} <= {
        name for name, verdict in verdicts.items() if verdict == "ok"
    }
    assert simulator.accepted() == []


def a_wrong_key(clinic: Clinic, provider: str) -> str:
    clinic.settings[f"{provider.upper()}_API_KEY"] = "bad-key"
    return f"{provider}-account"


def nobody_at_the_base_url(clinic: Clinic, provider: str) -> str:
    clinic.settings[f"{provider.upper()}_BASE_URL"] = f"http://127.0.0.1:{free_port()}"
    return f"{provider}-account"


def another_api_at_the_base_url(clinic: Clinic, provider: str) -> str:
    clinic.settings[f"{provider.upper()}_BASE_URL"] += "/elsewhere"
    return f"{provider}-account"


def secret_of(provider: str) -> str:
    return f"{provider.upper()}_WEBHOOK_{'PUBLIC_KEY' if provider == 'sendgrid' else 'SECRET'}"


def no_secret(clinic: Clinic, provider: str) -> str:
    clinic.settings[secret_of(provider)] = ""
    return f"{provider}-secret"


def a_malformed_secret(clinic: Clinic, provider: str) -> str:
    setting = secret_of(provider)
    clinic.settings[setting] += ",an-api-key"
    return f"{provider}-secret"


def no_secret_in_the_web_process(clinic: Clinic, provider: str) -> str:
    clinic.web = {secret_of(provider): ""}
    return f"{provider}-webhook"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "breaks",
    [
        a_wrong_key,
        nobody_at_the_base_url,
        another_api_at_the_base_url,
        no_secret,
        a_malformed_secret,
        no_secret_in_the_web_process,
    ],
)
def test_each_setting_of_a_provider_gives_one(
    new_clinic: NewClinic, provider: str, breaks: Callable[[Clinic, str], str]
):
    clinic = new_clinic(provider)
    name = breaks(clinic, provider)
    assert clinic.findings() == [name]


def a_key_without_the_right_to_send(clinic: Clinic) -> str:
    clinic.settings["EMAIL_PROVIDER"] = "sendgrid"
    clinic.settings["SENDGRID_BASE_URL"] = clinic.settings["RESEND_BASE_URL"]
    clinic.settings["SENDGRID_API_KEY"] = "only-reading"
    return "sendgrid-account"


def a_malformed_stripe_secret(clinic: Clinic) -> str:
    clinic.settings["STRIPE_WEBHOOK_SECRET"] = "sk_live_the_wrong_one"
    return "stripe-secret"


def no_web_process(clinic: Clinic) -> str:
    clinic.web = None
    return "web"


def rows_of_another_host(clinic: Clinic) -> str:
    queue(clinic.app, host="app.acme-letters.com")
    return "other-hosts"


def a_web_process_with_another_secret(clinic: Clinic) -> str:
    clinic.web = {"RESEND_WEBHOOK_SECRET": OTHER_SVIX}
    return "resend-webhook"


def a_web_process_with_another_stripe_secret(clinic: Clinic) -> str:
    clinic.web = {"STRIPE_WEBHOOK_SECRET": "whsec_before_it_was_rolled"}
    return "stripe-webhook"


def a_sample_sender(clinic: Clinic) -> str:
    clinic.settings["FROM_EMAIL"] = "Your App <noreply@yourdomain.com>"
    return "domain"


def a_sample_postal_address(clinic: Clinic) -> str:
    clinic.settings["POSTAL_ADDRESS"] = ""
    return "postal-address"


def a_web_address_in_the_clear(clinic: Clinic) -> str:
    clinic.settings["APP_URL"] = "http://app.acme-letters.com"
    return "app-url"


def a_domain_that_does_not_exist(clinic: Clinic) -> str:
    clinic.settings["FROM_EMAIL"] = "Acme <hello@acme-lettres.com>"
    return "domain"


def no_name_server(clinic: Clinic) -> str:
    clinic.options = ["--nameserver", f"127.0.0.1:{free_port()}"]
    return "dns"


def a_name_server_that_fails(clinic: Clinic) -> str:
    clinic.names.failing.add(f"resend._domainkey.{DOMAIN}")
    return "dns"


def no_spf(clinic: Clinic) -> str:
    del clinic.zone[f"send.{DOMAIN}", "TXT"]
    return "resend-spf"


def two_spf_records(clinic: Clinic) -> str:
    clinic.zone[DOMAIN, "TXT"] = [text("v=spf1 mx ~all"), text("v=spf1 ip4:192.0.2.1 -all")]
    return "spf"


def an_spf_record_for_everybody(clinic: Clinic) -> str:
    clinic.zone[f"send.{DOMAIN}", "TXT"] = [text("v=spf1 ip4:192.0.2.1 +all")]
    return "resend-spf"


def no_dkim(clinic: Clinic) -> str:
    del clinic.zone[f"resend._domainkey.{DOMAIN}", "TXT"]
    return "resend-dkim"


def a_revoked_dkim_key(clinic: Clinic) -> str:
    clinic.zone[f"resend._domainkey.{DOMAIN}", "TXT"] = [text("v=DKIM1; p=")]
    return "resend-dkim"


def a_weak_dkim_key(clinic: Clinic) -> str:
    clinic.zone[f"resend._domainkey.{DOMAIN}", "TXT"] = [text(f"p={rsa_key(768)}")]
    return "resend-dkim"


def no_dmarc(clinic: Clinic) -> str:
    del clinic.zone[f"_dmarc.{DOMAIN}", "TXT"]
    return "dmarc"


def a_malformed_dmarc_policy(clinic: Clinic) -> str:
    clinic.zone[f"_dmarc.{DOMAIN}", "TXT"] = [text("v=DMARC1; policy=reject")]
    return "dmarc"


def a_database_without_tables(clinic: Clinic) -> str:
    with clinic.app.app_context():
        db.session.execute(sql("DROP TABLE alembic_version"))
        db.session.commit()
    return "database"


def no_database(clinic: Clinic) -> str:
    clinic.settings["DATABASE_URL"] = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    return "database"


def queue(app: Flask, **values: Any) -> None:
    message = EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hi</p>")
    with app.app_context():
        row = outbox.enqueue(db.session(), message)
        for name, value in values.items():
            setattr(row, name, value)
        db.session.commit()


def an_email_that_nobody_delivers(clinic: Clinic) -> str:
    queue(clinic.app, due_at=utc_now() - timedelta(hours=1))
    return "queue"


def an_unknown_email(clinic: Clinic) -> str:
    queue(clinic.app, state=State.UNKNOWN, unknown_since=utc_now(), provider="resend", pinned=True)
    return "unknown-emails"


def a_paused_provider(clinic: Clinic) -> str:
    with clinic.app.app_context():
        refused = AuthenticationFailed("resend answered 403: suspended", 403, provider="resend")
        states = outbox.breaker.load_states(db.session())
        outbox.breaker.record(db.session(), states, "resend", [refused], utc_now())
        db.session.commit()
    return "resend-calls"


def paused_marketing(clinic: Clinic) -> str:
    """Which is not late for it."""
    queue(clinic.app, due_at=utc_now() - timedelta(hours=1), lane=Lane.MARKETING)
    with clinic.app.app_context():
        outbox.lanes.pause(db.session(), Lane.MARKETING, "too many bounces", utc_now())
        db.session.commit()
    return "marketing"


BREAKS = [
    a_key_without_the_right_to_send,
    a_malformed_stripe_secret,
    no_web_process,
    a_web_process_with_another_secret,
    rows_of_another_host,
    a_web_process_with_another_stripe_secret,
    a_sample_sender,
    a_sample_postal_address,
    a_web_address_in_the_clear,
    a_domain_that_does_not_exist,
    no_name_server,
    a_name_server_that_fails,
    no_spf,
    two_spf_records,
    an_spf_record_for_everybody,
    no_dkim,
    a_revoked_dkim_key,
    a_weak_dkim_key,
    no_dmarc,
    a_malformed_dmarc_policy,
    a_database_without_tables,
    no_database,
    an_email_that_nobody_delivers,
    an_unknown_email,
    a_paused_provider,
    paused_marketing,
]


@pytest.mark.parametrize("breaks", BREAKS)
def test_each_broken_part_gives_one(clinic: Clinic, breaks: Callable[[Clinic], str]):
    name = breaks(clinic)
    assert clinic.findings() == [name]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("EMAIL_REDIRECT_TO", f"qa@{DOMAIN}"), ("EMAIL_ALLOWED", "example.com")],
)
def test_where_emails_reach_few_the_rows_of_production_are_no_problem(
    clinic: Clinic, setting: str, value: str
):
    clinic.settings[setting] = value
    rows_of_another_host(clinic)
    verdicts = clinic.examine()
    assert (verdicts["recipients"], verdicts["other-hosts"]) == ("hint", "hint")
    assert "problem" not in verdicts.values()


def test_a_key_that_stopped_the_queue_is_named_once(clinic: Clinic):
    a_paused_provider(clinic)
    an_email_that_nobody_delivers(clinic)
    with clinic.app.app_context():  # the pause is over, so that the wait counts
        db.session.execute(sql("UPDATE provider_states SET open_until = '2026-01-01 00:00:00'"))
        db.session.commit()
    clinic.app.config["RESEND_API_KEY"] = "bad-key"
    verdicts = clinic.examine()
    assert (verdicts["resend-account"], verdicts["resend-calls"], verdicts["queue"]) == (
        "problem",
        "skipped",
        "skipped",
    )
    assert [*verdicts.values()].count("problem") == 1


REMEDIES: dict[int, str] = {
    301: "check RESEND_BASE_URL",
    401: "set RESEND_API_KEY to a key of this account",
    403: "set RESEND_API_KEY to a key of this account",
    404: "check RESEND_BASE_URL",
    503: "check RESEND_BASE_URL, the network from here, and the provider's status page",
    504: "check RESEND_BASE_URL and its status page",
}


@pytest.mark.parametrize("status", REMEDIES)
def test_the_remedy_fits_what_the_provider_answers(clinic: Clinic, status: int):
    with Listener() as listener:
        listener.answers(answer(status, b'{"name": "so", "message": "it says"}'))
        clinic.settings["RESEND_BASE_URL"] = listener.url
        output = clinic.run()[1]
    lines = output.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("problem")]
    assert f"resend answered {status}: so: it says" in lines[at]
    assert REMEDIES[status] in lines[at + 1]


def test_a_provider_that_does_not_answer_in_time_gives_one(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cli.doctor.accounts, "PATIENCE", 0.5)
    with Listener() as listener:
        listener.drips(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b" " * 99)
        clinic.settings["RESEND_BASE_URL"] = listener.url
        assert clinic.findings() == ["resend-account"]


def test_a_provider_that_asks_for_a_pause_gives_none(clinic: Clinic):
    with Listener() as listener:
        listener.answers(answer(429, b"{}"))
        clinic.settings["RESEND_BASE_URL"] = listener.url
        assert clinic.examine()["resend-account"] == "hint"


@pytest.mark.parametrize(("hours", "words"), [(1, "behind"), (-1, "ahead")])
def test_a_clock_that_is_wrong_gives_one(clinic: Clinic, hours: int, words: str):
    with Listener() as listener:
        told = formatdate((utc_now() + timedelta(hours=hours)).timestamp(), usegmt=True)
        listener.answers(answer(200, b'{"data": []}', f"Date: {told}"))
        clinic.settings["RESEND_BASE_URL"] = listener.url
        assert clinic.findings() == ["clock"]
        assert f"s {words}: genuine webhooks are refused" in clinic.run()[1]


@pytest.mark.parametrize("status", [200, 301, 400, 404, 502])
def test_another_program_at_app_url_gives_one(clinic: Clinic, status: int):
    with Listener() as listener:
        listener.answers(answer(status, b"", "Location: https://acme-letters.com/"))
        clinic.web, clinic.settings["APP_URL"] = None, listener.url
        assert clinic.findings() == ["web"]


@pytest.mark.parametrize("status", [301, 403, 404, 413, 500])
def test_something_before_the_webhook_gives_one(clinic: Clinic, status: int):
    clinic.settings["STRIPE_WEBHOOK_SECRET"] = ""  # then only one webhook is tried
    with Listener() as listener:
        alive = answer(200, b'{"status": "ok"}')
        listener.answers(alive, answer(status, b"", "Location: https://acme-letters.com/"))
        clinic.web, clinic.settings["APP_URL"] = None, listener.url
        assert clinic.findings() == ["resend-webhook"]


def test_a_webhook_without_a_guard_gives_one(new_clinic: NewClinic):
    clinic = new_clinic("sendgrid")
    clinic.settings["STRIPE_WEBHOOK_SECRET"] = ""
    with Listener() as listener:
        listener.answers(answer(200, b'{"status": "ok"}'))
        clinic.web, clinic.settings["APP_URL"] = None, listener.url
        assert clinic.findings() == ["sendgrid-webhook"]
        assert "takes events without a signature" in clinic.run()[1]


def test_redis_away_gives_one_with_and_without_celery(clinic: Clinic):
    clinic.settings["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    clinic.web = {"REDIS_URL": ""}
    assert clinic.findings() == ["redis"]


def test_production_without_redis_is_told_what_each_process_counts_alone(make_app: MakeApp):
    settings = make_app().config | {"REDIS_URL": None, "RATELIMIT_ENABLED": True}
    assert check_redis(settings) is None
    found = check_redis(settings | {"DEBUG": False})
    assert found
    assert (found.name, found.verdict) == ("redis", Verdict.HINT)
    assert "4 workers let 4 times as much through" in found.words


def test_celery_without_a_worker_gives_one(clinic: Clinic, valkey: Valkey):
    clinic.settings["EMAIL_DELIVERY"] = "celery"
    clinic.settings["REDIS_URL"] = valkey.url
    assert clinic.findings() == ["workers"]


def test_celery_without_redis_gives_one(clinic: Clinic):
    clinic.settings["EMAIL_DELIVERY"] = "celery"
    clinic.settings["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    clinic.web = {"REDIS_URL": "", "EMAIL_DELIVERY": "sync"}
    assert clinic.findings() == ["redis"]


def test_a_worker_that_runs_answers(
    clinic: Clinic, valkey: Valkey, sqlite_url: str, tmp_path: Path
):
    celery = {"EMAIL_DELIVERY": "celery", "REDIS_URL": valkey.url}
    clinic.settings |= celery
    variables = celery | {
        "FLASK_DEBUG": "1",
        "EMAIL_PROVIDER": "inbox",
        "DATABASE_URL": sqlite_url,
    }
    command = ["celery", "-A", "tasks", "worker", "--loglevel=info"]
    with Process(command, variables, tmp_path / "worker.log") as worker:
        worker.wait_for_output("ready.")
        verdicts = clinic.examine()
    assert (verdicts["redis"], verdicts["workers"]) == ("ok", "ok")


def test_development_has_nothing_to_complain_of_but_what_is_not_running(
    make_app: MakeApp,
):
    app = make_app(APP_URL=f"http://127.0.0.1:{free_port()}")
    result = app.test_cli_runner().invoke(args=["email", "doctor"])
    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if line.startswith("problem")]
    assert len(lines) == 1
    assert "web " in lines[0]


def test_development_at_a_public_address_is_a_hint(make_app: MakeApp):
    settings = make_app(APP_URL="https://shop.example.com").config
    checks = {check.name: check for check in check_leftovers(settings)}
    assert checks["debug"].verdict is Verdict.HINT
    assert "may send without an API_TOKEN" in checks["debug"].remedy


def test_gunicorn_without_a_proxy_is_a_hint_that_names_nginx(make_app: MakeApp):
    def proxy(**settings: Any) -> Check:
        app = make_app(**PRODUCTION, **settings)
        return next(each for each in check_leftovers(app.config) if each.name == "proxy")

    assert proxy(FLASK_DEBUG=True).verdict is Verdict.OK
    assert proxy(FLASK_DEBUG=False, TRUSTED_PROXIES=1).verdict is Verdict.OK
    found = proxy(FLASK_DEBUG=False)
    assert (found.verdict, "deploy/nginx.conf" in found.remedy) == (Verdict.HINT, True)


def test_the_checklist_shows_each_line_with_its_remedy_and_no_secret(clinic: Clinic):
    no_secret(clinic, "resend")
    code, output = clinic.run()
    assert code == 1
    assert "problem  resend-secret      RESEND_WEBHOOK_SECRET is not set: bounces" in output
    assert "-> create the webhook APP_URL/api/webhooks/resend at resend, and set" in output
    assert "ok       database" in output
    assert output.endswith("\n1 problem\n")
    for setting, value in clinic.settings.items():
        if setting.endswith(("_KEY", "_SECRET", "_TOKEN")) and value:
            assert value not in output


def test_subscribers_that_do_not_arrive_are_a_hint_with_the_providers_words(clinic: Clinic):
    with clinic.app.app_context():
        row = subscribers.add_tag("ann@example.com", "customer")
        row.attempts, row.last_error = 3, "resend answered 401: restricted_api_key"
        row.due_at = utc_now() + timedelta(hours=1)
        db.session.commit()
    code, output = clinic.run()
    assert code == 0
    assert "hint" in output
    assert "restricted_api_key" in output
    assert "SUBSCRIBERS_ENABLED=false" in output
