"""Where each part of the demo listens, and with which settings ours run."""

from pathlib import Path

from attrs import frozen

from providers import PROVIDERS
from tools.simulator.webhook_secrets import Secrets

DELIVERING = [name for name, provider in PROVIDERS.items() if provider.delivers]


@frozen(kw_only=True)
class Plan:
    """One demo: its provider, its ports on loopback, and the folder of its files."""

    provider: str
    port: int
    simulator_port: int
    valkey_port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.simulator_port}"

    def settings(self) -> dict[str, str]:
        """The environment of the web and the worker."""
        ours = {
            "FLASK_DEBUG": "1",
            "PORT": str(self.port),
            "APP_URL": self.url,
            "EMAIL_PROVIDER": self.provider,
            "EMAIL_DELIVERY": "celery",
            "REDIS_URL": f"redis://127.0.0.1:{self.valkey_port}/0",
            "DATABASE_URL": f"sqlite:///{self.folder}/app.db",
            "RATELIMIT_FORM": "60/minute",  # whoever tries it out signs up several times
            "LOG_FORMAT": "text",
            "LOG_LEVEL": "INFO",
            **Secrets().variables(),
            **self._accounts(),
        }
        # A developer's .env may hold the same settings as files, and both is a mistake.
        return ours | {f"{name}_FILE": "" for name in ours}

    def _accounts(self) -> dict[str, str]:
        # All of them, so that no key of a developer's .env is used for a real email.
        accounts = {}
        for name in DELIVERING:
            path = "/api/v1" if name == "sequenzy" else ""
            accounts[f"{name.upper()}_API_KEY"] = "demo-key"
            accounts[f"{name.upper()}_BASE_URL"] = self.simulator_url + path
        return accounts
