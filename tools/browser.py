"""A real browser for the tests: Debian's Chromium where there is one, else Playwright's own.

`python -m tools.browser --install` makes sure that one of them is there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome; None if Playwright's own is to be used."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


def _run(*command: str) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


def install() -> None:
    """Install a browser if there is none: Debian's package as root, else Playwright's download."""
    if find_chromium():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Debian's chromium for the tests (once)", flush=True)  # noqa: T201
        if _run("apt-get", "update") and _run("apt-get", "install", "-y", "-q", "chromium"):
            return
    if not _run(sys.executable, "-m", "playwright", "install", "chromium"):
        sys.exit("the tests need a browser: install Chromium or Google Chrome, then try again")


if __name__ == "__main__" and "--install" in sys.argv:
    install()
