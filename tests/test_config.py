"""Settings: what is read, from where, what is refused, and what production insists on."""

from pathlib import Path
from typing import Any

import pytest

import config
from config import SETTINGS, load, read_environment
from errors import ConfigurationError
from message import Address
from setting_types import JITTER, Rate
from tools.simulator.webhook_secrets import RESEND_SECRET, Secrets

DEVELOPMENT = {"FLASK_DEBUG": "1"}
PRODUCTION = {
    "SECRET_KEY": "a key of our own, long enough to keep",
    "APP_URL": "https://app.example.com",
    "FROM_EMAIL": "Shop <shop@example.com>",
    "EMAIL_PROVIDER": "resend",
    "RESEND_API_KEY": "re_1",
}


def problems(given: dict[str, Any]) -> list[str]:
    """What `load` has against `given`, a line each."""
    with pytest.raises(ConfigurationError) as caught:
        load(given)
    first, *lines = str(caught.value).splitlines()
    assert ".env.example" in first
    return [line.removeprefix("  - ") for line in lines]


def test_development_needs_nothing_but_the_switch():
    settings = load(DEVELOPMENT)
    assert settings["DEBUG"] is True
    assert settings["APP_URL"] == "http://127.0.0.1:5000"
    assert settings["EMAIL_PROVIDER"] == ("inbox",)
    assert settings["FROM_EMAIL"]
    assert settings["CONTACT_EMAIL"] == settings["FROM_EMAIL"]
    assert settings["BILLING_URL"] == "http://127.0.0.1:5000/billing"
    assert settings["STRIPE_WEBHOOK_SECRET"] == ()
    assert settings["API_TOKEN"] is None


def test_production_starts_with_five_settings():
    settings = load(PRODUCTION)
    assert settings["DEBUG"] is False
    assert settings["LOG_FORMAT"] == "json"
    assert settings["CONTACT_EMAIL"] == Address("shop@example.com", "Shop")
    assert settings["BILLING_URL"] == "https://app.example.com/billing"


@pytest.mark.parametrize("name", PRODUCTION)
@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_production_does_not_start_without_any_of_them(name: str, nothing: str | None):
    given = {key: value for key, value in PRODUCTION.items() if key != name}
    if nothing is not None:
        given[name] = nothing
    (problem,) = problems(given)
    assert problem.startswith(f"{name} is required")


def test_without_any_variable_the_app_is_in_production_and_lists_what_it_lacks():
    assert problems({}) == [
        f"{name} is required in production"
        for name in ("SECRET_KEY", "APP_URL", "FROM_EMAIL", "EMAIL_PROVIDER")
    ]


def test_every_problem_stands_in_one_message():
    given = {
        "SECRET_KEY": config.DEVELOPMENT_SECRET_KEY,
        "APP_URL": "http://app.example.com",
        "FROM_EMAIL": "shop",
        "EMAIL_PROVIDER": "resend,sendgrid",
        "RESEND_API_KEY": "re_1",
        "EMAIL_DELIVERY": "celery",
        "EMAIL_LEASE": "29",
        "RATELIMIT_ENABLED": "yes",
        "EMAIL_THREADS": "many",
        "TRUSTED_PROXIES": "-1",
    }
    found = problems(given)
    named = sorted(problem.split(" ")[0] for problem in found)
    assert named == sorted(
        [
            "SECRET_KEY",
            "APP_URL",
            "FROM_EMAIL",
            "SENDGRID_API_KEY",
            "REDIS_URL",
            "EMAIL_LEASE",
            "RATELIMIT_ENABLED",
            "EMAIL_THREADS",
            "TRUSTED_PROXIES",
        ]
    )


@pytest.mark.parametrize(
    ("name", "short", "long"),
    [
        ("SECRET_KEY", "k" * 31, "k" * 32),
        ("SECRET_KEY", config.DEVELOPMENT_SECRET_KEY, "k" * 32),
        ("SECRET_KEY_FALLBACKS", f"{'k' * 32}, {'f' * 31}", f"{'k' * 32}, {'f' * 32}"),
        ("API_TOKEN", "t" * 15, "t" * 16),
        ("METRICS_TOKEN", "t" * 15, "t" * 16),
    ],
)
def test_production_refuses_a_secret_that_can_be_guessed_without_showing_it(
    name: str, short: str, long: str
):
    (problem,) = problems(PRODUCTION | {name: short})
    assert problem.startswith(f"{name} has fewer than ")
    assert short.split(", ")[-1] not in problem
    assert load(PRODUCTION | {name: long})
    assert load(DEVELOPMENT | {name: short})


def test_every_short_secret_stands_in_one_message():
    given = PRODUCTION | {"SECRET_KEY": "a", "SECRET_KEY_FALLBACKS": "b", "API_TOKEN": "c"}
    assert [each.split(" ")[0] for each in problems(given)] == [
        "SECRET_KEY", "SECRET_KEY_FALLBACKS", "API_TOKEN",
    ]  # fmt: skip


def test_the_development_inbox_is_no_provider_in_production():
    (problem,) = problems(PRODUCTION | {"EMAIL_PROVIDER": "inbox"})
    assert "inbox sends nothing" in problem


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("FLASK_DEBUG", "true", True),
        ("RATELIMIT_ENABLED", "0", False),
        ("RATELIMIT_ENABLED", "False", False),
        ("RATELIMIT_ENABLED", "TRUE", True),
        ("RATELIMIT_ENABLED", "1\r", True),
        ("EMAIL_THREADS", "256", 256),
        ("EMAIL_TIMEOUT", "0.5e1", 5.0),
        ("EMAIL_UNKNOWN_WAIT", "0", 0.0),
        ("APP_NAME", " Änn's Shop ", "Änn's Shop"),
        ("APP_URL", "https://app.example.com/", "https://app.example.com"),
        ("APP_URL", "https://app.example.com/shop/", "https://app.example.com/shop"),
        ("APP_URL", "HTTPS://app.example.com", "https://app.example.com"),
        ("FROM_EMAIL", "shop@example.com", Address("shop@example.com")),
        ("EMAIL_PROVIDER", " inbox ", ("inbox",)),
        ("STRIPE_WEBHOOK_SECRET", "whsec_a, whsec_b,", ("whsec_a", "whsec_b")),
        ("STRIPE_WEBHOOK_SECRET", " , ", ()),
        ("RESEND_BASE_URL", "http://127.0.0.1:8025", "http://127.0.0.1:8025"),
        ("RESEND_BASE_URL", "http://[::1]:8025/", "http://[::1]:8025"),
        ("DATABASE_URL", "postgres://u:p@db/app", "postgresql+psycopg://u:p@db/app"),
        ("DATABASE_URL", "postgresql://u:p@db/app", "postgresql+psycopg://u:p@db/app"),
        ("DATABASE_URL", "postgresql+psycopg://db/app", "postgresql+psycopg://db/app"),
        ("DATABASE_URL", "sqlite:////data/app.db", "sqlite:////data/app.db"),
        ("REDIS_URL", "rediss://cache:6380/1", "rediss://cache:6380/1"),
        ("RATELIMIT_SEND", "2/second;100/day", "2/second;100/day"),
        ("RESEND_RATE", "", Rate(5, 1)),
        ("RESEND_RATE", "10/second", Rate(10, 1)),
        ("RESEND_RATE", "30 per 2 minutes", Rate(30, 120)),
        ("RESEND_RATE", "OFF", None),
        ("SEQUENZY_RATE", "", Rate(95, 60, burst=5)),
        ("SENDGRID_RATE", "", None),
        ("EMAIL_REDIRECT_TO", "QA <qa@example.com>", Address("qa@example.com", "QA")),
        ("EMAIL_ALLOWED", "", None),
        ("EMAIL_ALLOWED", "Acme.com, Any@Acme.co,", ("acme.com", "any@acme.co")),
        ("EMAIL_ALLOWED", "bücher.example", ("xn--bcher-kva.example",)),
        ("LOG_LEVEL", "WARNING", "WARNING"),
    ],
)
def test_a_variable_is_read(name: str, text: str, value: Any):
    assert load(DEVELOPMENT | {name: text})[name] == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("RATELIMIT_ENABLED", word) for word in ("yes", "on", "off", "2", "t", "None", "1 0")),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("EMAIL_THREADS", "0"),
        ("EMAIL_THREADS", "1.5"),
        ("EMAIL_THREADS", "9" * 5000),
        ("EMAIL_TIMEOUT", "nan"),
        ("EMAIL_TIMEOUT", "inf"),
        ("TRUSTED_PROXIES", "11"),
        ("APP_URL", "app.example.com"),
        ("APP_URL", "ftp://app.example.com"),
        ("APP_URL", "https://"),
        ("APP_URL", "https://app.example.com?x=1"),
        ("APP_URL", "https://app.example.com#x"),
        ("APP_URL", "https://app.example.com:http"),
        ("APP_URL", "https://user:password@app.example.com"),
        ("APP_URL", "https://app example.com"),
        ("APP_URL", "http://[::1"),
        ("FROM_EMAIL", "Shop"),
        ("FROM_EMAIL", "a@example.com, b@example.com"),
        ("FROM_EMAIL", "Shop\nBcc: x <shop@example.com>"),
        ("EMAIL_REDIRECT_TO", "qa"),
        ("EMAIL_ALLOWED", ","),
        ("EMAIL_ALLOWED", "@acme.com"),
        ("EMAIL_ALLOWED", "acme.com ann@acme.com"),
        ("EMAIL_PROVIDER", "mailgun"),
        ("EMAIL_PROVIDER", "Resend"),
        ("EMAIL_PROVIDER", ","),
        ("EMAIL_PROVIDER", "resend,resend"),
        ("EMAIL_PROVIDER", "inbox,resend"),
        ("RESEND_API_KEY", "re_1\nre_2"),
        ("RESEND_API_KEY", "\u201cre_1\u201d"),
        ("API_TOKEN", "gehäim"),
        ("RESEND_BASE_URL", "http://api.example.com"),
        ("RESEND_BASE_URL", "HTTP://api.example.com"),
        ("EMAIL_DELIVERY", "threads"),
        ("DATABASE_URL", "mysql://db/app"),
        ("DATABASE_URL", "app.db"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "unix:///run/redis.sock"),
        ("REDIS_URL", "redis+socket:///run/redis.sock"),
        ("RATELIMIT_FORM", "often"),
        ("RESEND_RATE", "often"),
        ("RESEND_RATE", "0/second"),
        ("RESEND_RATE", "-5/second"),
        ("RESEND_RATE", "5/second;100/day"),
        ("RESEND_RATE", "5"),
        ("LOG_LEVEL", "info"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_variable_that_makes_no_sense_is_refused_by_name(name: str, text: str):
    found = problems(DEVELOPMENT | {"RESEND_API_KEY": "re_1"} | {name: text})
    assert [problem.split(" ")[0] for problem in found] == [name]


@pytest.mark.parametrize(("name", "most"), [("RESEND_RATE", 5), ("SEQUENZY_RATE", 100)])
def test_a_paced_backlog_keeps_within_the_vendors_limit_in_any_sliding_window(name, most):
    rate = load(DEVELOPMENT)[name]
    calls = [max(0, number + 1 - rate.burst) * rate.interval for number in range(500)]
    gaps = [later - first for first, later in zip(calls, calls[most:], strict=False)]
    assert min(gaps) >= rate.seconds + JITTER - 1e-6


@pytest.mark.parametrize("text", ["yes", "2", "production"])
def test_a_switch_that_is_no_boolean_never_opens_the_development_mode(text: str):
    found = problems({"FLASK_DEBUG": text})
    assert "FLASK_DEBUG must be 1, 0, true or false" in found
    assert "SECRET_KEY is required in production" in found


@pytest.mark.parametrize("name", ["FROM_EMAIL", "CONTACT_EMAIL"])
def test_production_neither_sends_from_nor_to_names_of_ones_own_machine(name: str):
    assert problems(PRODUCTION | {name: "shop@app.test"}) == [
        f"{name} is at app.test, a name that exists on your own machine or network only"
    ]
    assert load(DEVELOPMENT | {name: "shop@app.test"})[name] == Address("shop@app.test")


def test_production_needs_a_contact_address_that_somebody_reads():
    def refused(address: str) -> list[str]:
        return [
            f"CONTACT_EMAIL (by default the address of FROM_EMAIL) is {address}, which nobody "
            "reads; set it to an address where people get an answer"
        ]

    given = PRODUCTION | {"CONTACT_EMAIL": "no-reply@example.com"}
    assert problems(given) == refused("no-reply@example.com")
    from_noreply = PRODUCTION | {"FROM_EMAIL": "Shop <noreply@example.com>"}
    assert problems(from_noreply) == refused("noreply@example.com")
    settings = load(from_noreply | {"CONTACT_EMAIL": "hello@example.com"})
    assert settings["CONTACT_EMAIL"] == Address("hello@example.com")


@pytest.mark.parametrize("url", ["HTTP://app.example.com", "http://app.example.com"])
def test_production_lives_at_https(url: str):
    assert problems(PRODUCTION | {"APP_URL": url}) == [
        "APP_URL must start with https:// (http is for loopback only)"
    ]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]"])
def test_production_may_be_tried_on_loopback(url: str):
    assert load(PRODUCTION | {"APP_URL": url})["APP_URL"] == url


def test_a_process_holds_an_email_at_least_twice_as_long_as_a_call_may_take():
    assert problems(DEVELOPMENT | {"EMAIL_TIMEOUT": "31"}) == [
        "EMAIL_LEASE must be at least twice EMAIL_TIMEOUT (62)"
    ]
    assert load(DEVELOPMENT | {"EMAIL_TIMEOUT": "30"})["EMAIL_LEASE"] == 60


@pytest.mark.parametrize("name", ["RESEND_API_KEY", "API_TOKEN", "DATABASE_URL", "REDIS_URL"])
def test_no_secret_stands_in_a_complaint(name: str):
    (problem,) = problems(DEVELOPMENT | {name: "s3cr3t\n\u201d"})
    assert "s3cr3t" not in problem


class TestFiles:
    """NAME_FILE, as container platforms hand over secrets."""

    @pytest.mark.parametrize("name", ["SECRET_KEY", "APP_URL", "API_TOKEN", "PORT"])
    def test_any_setting_may_stand_in_a_file(self, tmp_path: Path, name: str):
        value = {"APP_URL": "https://a.example.com", "PORT": "81"}.get(
            name, "a secret from the file " * 2
        )
        (tmp_path / "secret").write_text(f"{value}\r\n")
        settings = load(PRODUCTION | {name: "", f"{name}_FILE": str(tmp_path / "secret")})
        assert str(settings[name]) == value.strip()

    def test_both_at_once_are_refused(self, tmp_path: Path):
        (tmp_path / "secret").write_text("other")
        given = PRODUCTION | {"SECRET_KEY_FILE": str(tmp_path / "secret")}
        assert problems(given) == ["SECRET_KEY and SECRET_KEY_FILE are both set; keep one"]

    @pytest.mark.parametrize("name", ["missing", "folder", "binary"])
    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path, name: str):
        (tmp_path / "folder").mkdir()
        (tmp_path / "binary").write_bytes(b"\xff\xfe")
        (problem,) = problems(DEVELOPMENT | {"API_TOKEN_FILE": str(tmp_path / name)})
        assert problem.startswith("API_TOKEN_FILE cannot be read: ")

    def test_an_empty_file_is_no_value(self, tmp_path: Path):
        (tmp_path / "secret").write_text("\n")
        given = {**PRODUCTION, "SECRET_KEY": "", "SECRET_KEY_FILE": str(tmp_path / "secret")}
        assert problems(given) == ["SECRET_KEY is required in production"]


class TestEnvironment:
    """The process's variables and `.env`."""

    @pytest.fixture(autouse=True)
    def _own_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(config, "__file__", str(tmp_path / "config.py"))
        monkeypatch.setattr("sys.argv", ["/srv/.venv/bin/flask", "run"])
        self.dotenv = tmp_path / ".env"
        for setting in config.SETTINGS:
            monkeypatch.delenv(setting.name, raising=False)

    def test_the_file_is_read(self):
        self.dotenv.write_text('# a comment\nFLASK_DEBUG=1\nAPP_NAME="Änn\'s # Shop"\nPORT\n')
        settings = load(read_environment())
        assert settings["DEBUG"] is True
        assert settings["APP_NAME"] == "Änn's # Shop"
        assert settings["PORT"] == 5000

    def test_real_variables_win_even_when_they_are_empty(self, monkeypatch: pytest.MonkeyPatch):
        self.dotenv.write_text("FLASK_DEBUG=1\nAPP_NAME=File\nAPI_TOKEN=file\nPORT=81\n")
        monkeypatch.setenv("APP_NAME", "Shell")
        monkeypatch.setenv("API_TOKEN", "")
        settings = load(read_environment())
        assert (settings["APP_NAME"], settings["PORT"]) == ("Shell", 81)
        assert settings["API_TOKEN"] is None

    def test_the_switch_of_the_shell_closes_what_the_file_opens(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        self.dotenv.write_text("FLASK_DEBUG=1\n")
        monkeypatch.setenv("FLASK_DEBUG", "0")
        assert "SECRET_KEY is required in production" in problems(read_environment())

    @pytest.mark.parametrize(
        ("program", "counts"),
        [
            ("/srv/.venv/bin/flask", True),
            ("/srv/lib/flask/__main__.py", True),  # python -m flask
            ("/srv/.venv/bin/celery", True),
            ("/srv/lib/celery/__main__.py", True),
            ("/srv/.venv/bin/gunicorn", False),
            ("/srv/lib/gunicorn/__main__.py", False),
            ("waitress-serve", False),
            ("uwsgi", False),
            ("/srv/flask/serve.py", False),
            ("-c", False),
            ("", False),
        ],
    )
    def test_the_files_switch_counts_for_flask_and_celery_alone(
        self, monkeypatch: pytest.MonkeyPatch, program: str, counts: bool
    ):
        monkeypatch.setattr("sys.argv", [program])
        self.dotenv.write_text("FLASK_DEBUG=1\nAPP_NAME=File\n")
        found = read_environment()
        assert ("FLASK_DEBUG" in found, found["APP_NAME"]) == (counts, "File")
        monkeypatch.setenv("FLASK_DEBUG", "1")
        assert load(read_environment())["DEBUG"] is True

    def test_no_file_of_the_switch_counts_either(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        (tmp_path / "on").write_text("1")
        self.dotenv.write_text(f"FLASK_DEBUG_FILE={tmp_path / 'on'}\n")
        assert load(read_environment())["DEBUG"] is True
        monkeypatch.setattr("sys.argv", [])  # an interpreter inside a server may have none
        assert "SECRET_KEY is required in production" in problems(read_environment())

    def test_no_file_is_needed(self):
        assert "SECRET_KEY is required in production" in problems(read_environment())


class TestOverrides:
    """Values that tests and embedders pass to `create_app`, typed already."""

    def test_typed_values_are_taken_as_they_are(self):
        sender = Address("shop@example.com", "Shop")
        given = {
            "FLASK_DEBUG": True,
            "FROM_EMAIL": sender,
            "EMAIL_THREADS": 2,
            "EMAIL_TIMEOUT": 1.5,
            "EMAIL_PROVIDER": ("resend",),
            "RESEND_API_KEY": "re_1",
        }
        settings = load(given)
        assert {name: settings[name] for name in given} == given

    def test_typed_values_are_checked_as_well(self):
        assert len(problems({"FLASK_DEBUG": True, "EMAIL_THREADS": 0, "EMAIL_SWEEP": True})) == 2

    def test_none_means_the_default(self):
        assert load({"FLASK_DEBUG": True, "EMAIL_THREADS": None})["EMAIL_THREADS"] == 8

    def test_testing_is_development_unless_said_otherwise(self):
        assert load({"TESTING": True})["DEBUG"] is True
        assert load({**PRODUCTION, "TESTING": True, "FLASK_DEBUG": False})["DEBUG"] is False

    def test_nothing_of_the_environment_is_read(
        self, make_app: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("APP_NAME", "Shell")
        assert make_app().config["APP_NAME"] == load({"FLASK_DEBUG": "1"})["APP_NAME"] != "Shell"

    def test_flasks_own_settings_pass_through_and_win(self, make_app: Any):
        app = make_app(SESSION_COOKIE_NAME="mine", APP_URL="https://app.example.com")
        assert app.config["SESSION_COOKIE_NAME"] == "mine"


def test_production_refuses_the_secrets_of_the_simulator_which_development_takes():
    known = Secrets().variables()
    assert known == {each.name: each.simulator_key for each in SETTINGS if each.simulator_key}
    assert load({"FLASK_DEBUG": "1", **known})["RESEND_WEBHOOK_SECRET"]
    with pytest.raises(ConfigurationError) as refused:
        load({**PRODUCTION, **known, "RESEND_WEBHOOK_SECRET": f"whsec_own,{RESEND_SECRET}"})
    for name in known:
        assert f"{name} is the simulator's" in str(refused.value)
