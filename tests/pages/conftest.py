"""The app as a process and one real browser; each test has a profile of its own in it.

A test fails on its own if a page said anything on the console, broke the content security policy,
answered 500, or asked anything of another machine.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    WebError,
    expect,
)

from tools.browser import open_browser
from tools.processes import Process, free_port

PATIENCE = 60_000  # milliseconds until a test gives up on a page
expect.set_options(timeout=PATIENCE)

SETTINGS = {
    "FLASK_DEBUG": "1",
    "EMAIL_PROVIDER": "inbox",
    "EMAIL_DELIVERY": "thread",
    "APP_NAME": "Your App",
    "CONTACT_EMAIL": "owner@example.com",
    "RATELIMIT_ENABLED": "false",
}
PRODUCTION = SETTINGS | {
    "FLASK_DEBUG": "0",
    "SECRET_KEY": "a-secret-of-these-tests-alone-0123456789",
    "FROM_EMAIL": "Your App <noreply@example.com>",
    "EMAIL_PROVIDER": "resend",
    "RESEND_API_KEY": "re_test_key",
}


class Watch:
    """Notes what no page of a browser profile may do."""

    def __init__(self, context: BrowserContext) -> None:
        self._noted: list[str] = []
        self._said: list[ConsoleMessage] = []
        self._refused: set[str] = set()
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("request", self._on_request)
        context.on("response", self._on_response)

    def problems(self) -> list[str]:
        """Judged at the end, because a line on the console may come before its answer."""
        return self._noted + [
            f"console {each.type}: {each.text}" for each in self._said if not self._is_usual(each)
        ]

    def _is_usual(self, message: ConsoleMessage) -> bool:
        """Chromium reports every page with a status of 4xx, such as a form that is shown again."""
        return message.location["url"] in self._refused and "with a status of" in message.text

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._said.append(message)

    def _on_error(self, error: WebError) -> None:
        self._noted.append(f"error: {error.error}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith("http://127.0.0.1:"):
            self._noted.append(f"request to the outside: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.request.is_navigation_request() and 400 <= response.status < 500:
            self._refused.add(response.url)
        elif response.status >= 400:
            self._noted.append(f"{response.status} from {response.url}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A real browser, started once. It is closed with the last test here, as it runs a loop."""
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="package")
def url(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the app runs as in development."""
    yield from _serve(SETTINGS, migrated_sqlite, tmp_path_factory.mktemp("development"))


@pytest.fixture(scope="package")
def production_url(
    migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where the app runs with the settings of production."""
    yield from _serve(PRODUCTION, migrated_sqlite, tmp_path_factory.mktemp("production"))


@pytest.fixture
def context(browser: Browser, url: str) -> Iterator[BrowserContext]:
    """A browser profile without cookies; `new_page()` opens a tab."""
    with watched_context(browser, base_url=url) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab of its own."""
    return context.new_page()


@contextmanager
def watched_context(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A new profile; fails at its end if one of its pages did what no page may do."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    watch = Watch(context)
    yield context
    context.close()
    assert watch.problems() == []


def _serve(settings: dict[str, str], migrated: Path, folder: Path) -> Iterator[str]:
    shutil.copy(migrated, folder / "app.db")
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    own = {"PORT": port, "APP_URL": url, "DATABASE_URL": f"sqlite:///{folder / 'app.db'}"}
    command = ["flask", "run", "--port", port, "--no-reload"]
    with Process(command, settings | own, folder / "flask.log") as server:
        server.wait_for_http(f"{url}/healthz")
        yield url
