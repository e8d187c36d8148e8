"""The app as `gunicorn app:app` in production mode, and a count of what its database holds."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Select, create_engine, func, select
from sqlalchemy.pool import NullPool

import config
from models import Signup, User
from outbox import OutboxBody, OutboxEmail, OutboxStep, Suppression
from tools import provider_events
from tools.processes import Process, free_port, wait_until
from tools.simulator_process import Simulator
from tools.wire import Header, WireAnswer, exchange, request
from webhooks import ReceivedEvent

HOST = "app.example.com"
API_TOKEN = "token-of-the-hostile-tests"
SECRETS = ("whsec_new", "whsec_old")  # as while one is rolled
UNSET = {setting.name: "" for setting in config.SETTINGS if setting.name != "PORT"}
SETTINGS = (
    UNSET
    | {  # unset, because a .env of whoever runs the tests must not decide
        "SECRET_KEY": "a-secret-of-the-hostile-tests-alone-0123456789",
        "APP_URL": f"https://{HOST}",
        "FROM_EMAIL": "Acme <hello@acme.example.com>",
        "EMAIL_PROVIDER": "resend",
        "RESEND_API_KEY": "re_hostile_key",
        "API_TOKEN": API_TOKEN,
        "STRIPE_WEBHOOK_SECRET": ",".join(SECRETS),
        "RATELIMIT_ENABLED": "false",
    }
    | provider_events.SETTINGS
)
CANARIES = (
    *(API_TOKEN, *SECRETS, SETTINGS["SECRET_KEY"], SETTINGS["RESEND_API_KEY"]),
    *(*provider_events.RESEND_SECRETS, *provider_events.SEQUENZY_SECRETS),
)

OURS: tuple[Header, ...] = (("Host", HOST),)
BEARER: Header = ("Authorization", f"Bearer {API_TOKEN}")
JSON: Header = ("Content-Type", "application/json")
FORM: Header = ("Content-Type", "application/x-www-form-urlencoded")

Rows = dict[str, int]


class Site:
    """One gunicorn on a migrated database. A context manager: started on entry, killed on exit.

    `variables` are settings over those of production. `log` collects its output over restarts.
    """

    def __init__(self, database_url: str, log: Path, **variables: str) -> None:
        self.database_url = database_url
        self.port = free_port()
        address = f"127.0.0.1:{self.port}"
        settings = SETTINGS | {"DATABASE_URL": database_url} | variables
        self.process = Process(["gunicorn", "app:app", "--bind", address], settings, log)
        scheme = database_url.replace("postgresql://", "postgresql+psycopg://")
        # No pool: a database that was down must not leave the tests a dead connection.
        self.engine = create_engine(scheme, poolclass=NullPool)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()

    def start(self) -> None:
        """Start it, on its former port if it ran before, and wait until it answers."""
        self.process.start()
        self.process.wait_for_http(f"http://127.0.0.1:{self.port}/healthz")

    def send(
        self, method: str, path: str, headers: Iterable[Header] = (), body: bytes | None = None
    ) -> WireAnswer:
        """One request to the right host; without any other header than `headers`."""
        return exchange(self.port, request(method, path, [*OURS, *headers], body))

    def post_json(self, path: str, value: Any, *headers: Header) -> WireAnswer:
        """POST JSON with the API token."""
        return self.send("POST", path, [JSON, BEARER, *headers], json.dumps(value).encode())

    def send_email(self, recipient: str) -> str:
        """The id of an email to this address that the API took."""
        answer = self.post_json("/api/send", {"email": recipient, "name": "Ann"})
        email_id: str = json.loads(answer.body)["id"]
        return email_id

    def timeline(self, email_id: str) -> list[str]:
        """The types of the lines of an email's timeline, as the API tells them."""
        answer = self.send("GET", f"/api/emails/{email_id}", [BEARER])
        return [each["type"] for each in json.loads(answer.body)["timeline"]]

    def answers(self) -> bool:
        """Whether it still serves pages."""
        return self.send("GET", "/login").status == 200

    def rows(self) -> Rows:
        """How many rows each table that input can reach holds, once what was asked is answered.

        The notice of a pause of marketing comes when housekeeping finds that much has bounced.
        """
        wait_until(lambda: not self._counts(select(func.count(OutboxStep.id)))[0], "the answers")
        emails = select(func.count(OutboxEmail.id)).where(OutboxEmail.kind != "marketing-paused")
        others = (select(func.count(table.id)) for table in (User, Signup, ReceivedEvent))
        users, signups, events, outbox = self._counts(*others, emails)
        return {"users": users, "signups": signups, "outbox": outbox, "events": events}

    def _counts(self, *counts: Select[int]) -> Sequence[int]:
        with self.engine.connect() as connection:
            return connection.execute(select(*(each.scalar_subquery() for each in counts))).one()

    def markers(self) -> set[str]:
        """The markers of mutations (see `tools.fuzz.mutations`) wherever they are stored."""
        with self.engine.connect() as connection:
            texts = [
                *connection.scalars(select(ReceivedEvent.payload)),
                *connection.scalars(select(Suppression.address)),
            ]
        return {marker for text in texts for marker in re.findall("[a-z]{6,8}-[0-9a-f]{16}", text)}

    def html_to(self, recipient: str) -> str:
        """The HTML of the newest transactional email to an address, as it lies in the outbox."""
        mine = (
            select(OutboxBody.message)
            .join(OutboxBody.row)
            .where(OutboxEmail.recipient == recipient, OutboxEmail.category == "transactional")
        )
        with self.engine.connect() as connection:
            message = connection.scalars(mine.order_by(OutboxEmail.id.desc()).limit(1)).one()
        html: str = message["html"]
        return html

    @contextmanager
    def stores(self, **more: int) -> Iterator[None]:
        """The block stores exactly that many rows more, and the site answers after it."""
        before = self.rows()
        yield
        assert self.rows() == {name: count + more.get(name, 0) for name, count in before.items()}
        assert self.answers()

    def check_log(self) -> None:
        """No exception that nobody handled, and no secret, in what the processes said."""
        output = self.process.output()
        assert "Traceback" not in output
        assert [canary for canary in CANARIES if canary in output] == []


def mail_to(simulator: Simulator, recipient: str, count: int = 1) -> list[dict[str, Any]]:
    """What the provider accepted for an address, once that is `count` emails."""
    wait_until(lambda: len(simulator.accepted(recipient)) >= count, f"{count} emails")
    return simulator.accepted(recipient)
