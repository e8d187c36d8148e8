"""A healthy app with all that it talks to, for tests that break one thing of it."""

import json
import threading
from contextlib import ExitStack
from typing import Any, Self

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.cli.doctor.keys import P256, RSA, SVIX
from tests.cli.doctor.name_server import NameServer, Zone, text
from tests.conftest import MakeApp
from tests.providers.samples import PATHS
from tools.processes import free_port

DOMAIN = "acme-letters.com"
SECRETS = {
    "RESEND_WEBHOOK_SECRET": SVIX,
    "SEQUENZY_WEBHOOK_SECRET": "whsec_of_sequenzy",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": P256,
    "STRIPE_WEBHOOK_SECRET": "whsec_of_stripe",
}


def good_zone() -> Zone:
    """The records of a domain with which nothing is wrong at any provider."""
    return {
        (DOMAIN, "SOA"): ["ns.acme-letters.com. hostmaster.acme-letters.com. 1 1 1 1 1"],
        (f"send.{DOMAIN}", "TXT"): [text("v=spf1 ip4:192.0.2.0/24 ~all")],
        (f"rp.{DOMAIN}", "TXT"): [text("v=spf1 ip4:192.0.2.0/24 ~all")],
        (f"resend._domainkey.{DOMAIN}", "TXT"): [text(f"p={RSA}")],
        (f"sequenzy._domainkey.{DOMAIN}", "TXT"): [text(f"v=DKIM1; k=rsa; p={RSA}")],
        (f"s1._domainkey.{DOMAIN}", "CNAME"): ["s1.domainkey.u1.wl.sendgrid.net."],
        ("s1.domainkey.u1.wl.sendgrid.net", "TXT"): [text(f"k=rsa; t=s; p={RSA}")],
        (f"_dmarc.{DOMAIN}", "TXT"): [text("v=DMARC1; p=reject")],
    }


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing."""


class Site:
    """The running web process: an app behind real HTTP, in a thread. `url` is its address."""

    def __init__(self, app: Flask, port: int) -> None:
        self._server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Clinic:
    """`settings` are what the doctor sees, `web` what the web process runs with instead.

    Change them, the `zone` or the database of `app`, and `examine`.
    """

    def __init__(
        self, make_app: MakeApp, names: NameServer, provider: str, simulator_url: str
    ) -> None:
        self._make_app = make_app
        self.names = names
        self._app: Flask | None = None
        self.port = free_port()
        self.web: dict[str, Any] | None = {}
        self.options: list[str] = ["--nameserver", names.address]
        name = provider.upper()
        self.settings: dict[str, Any] = {
            "EMAIL_PROVIDER": provider,
            f"{name}_API_KEY": "a-good-key",
            f"{name}_BASE_URL": simulator_url + PATHS[provider],
            "APP_URL": f"http://127.0.0.1:{self.port}",
            "FROM_EMAIL": f"Acme <hello@{DOMAIN}>",
            "POSTAL_ADDRESS": "Acme, 7 High Street, London",
            "API_TOKEN": "a-token",
            **SECRETS,
        }

    @property
    def zone(self) -> Zone:
        return self.names.zone

    @property
    def app(self) -> Flask:
        """The app that the doctor runs in, built with the settings as they are by then."""
        if self._app is None:
            self._app = self._make_app(**self.settings)
        return self._app

    def run(self, *args: str) -> tuple[int, str]:
        """The exit code and output of `flask email doctor`."""
        with ExitStack() as stack:
            if self.web is not None:
                site = self._make_app(**{**self.settings, **self.web})
                stack.enter_context(Site(site, self.port))
            runner = self.app.test_cli_runner()
            command = ["email", "doctor", *self.options, *args]
            result = runner.invoke(args=command, catch_exceptions=False)
        return result.exit_code, result.stdout

    def examine(self) -> dict[str, str]:
        """The checks and their verdicts; the exit code says whether one is a problem."""
        code, output = self.run("--json")
        answer = json.loads(output)
        verdicts = {check["name"]: check["verdict"] for check in answer["checks"]}
        assert len(verdicts) == len(answer["checks"]), "two checks have one name"
        assert all(check["remedy"] for check in answer["checks"] if check["verdict"] == "problem")
        assert answer["well"] is (code == 0) is ("problem" not in verdicts.values()), output
        return verdicts

    def findings(self) -> list[str]:
        """The names of the problems."""
        return [name for name, verdict in self.examine().items() if verdict == "problem"]
