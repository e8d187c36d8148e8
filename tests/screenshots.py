"""Pictures of every email and of the gallery for docs/screenshots/: `make screenshots`."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from app import create_app
from emails.compose import all_emails
from testing import TEST_SETTINGS
from tests.browser import open_browser
from tests.emails.conftest import SETTINGS
from tests.processes import ROOT

FOLDER = ROOT / "docs" / "screenshots"
COLOURS = 128  # enough for flat colours and smooth letters
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (375, 800)
# The sample with the most to see, where that is not the first.
SAMPLES = {"receipt": "every part", "payment-failed": "next attempt"}
GALLERY = {
    "preview.png": "?email=receipt&sample=every part",
    "preview-dark.png": "?email=onboarding-day-3&width=375&scheme=dark",
}


@contextmanager
def serve() -> Iterator[str]:
    """The app on a free port; its URL."""
    server = make_server("127.0.0.1", 0, create_app(TEST_SETTINGS | SETTINGS), threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


def save(page: Page, path: Path) -> None:
    """Store the whole page as a small PNG."""
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    small = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)} {path.stat().st_size / 1024:.0f} KB")  # noqa: T201


def take_emails(browser: Browser, url: str) -> None:
    (FOLDER / "emails").mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        page = browser.new_page(viewport={"width": width, "height": 400})
        for name, email in all_emails().items():
            sample = SAMPLES.get(name) or next(iter(email.samples))
            page.goto(f"{url}/preview/{name}?sample={sample}")
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                save(page, FOLDER / "emails" / f"{name}-{width}-{scheme}.png")
        page.close()


def take_gallery(browser: Browser, url: str) -> None:
    for scheme, (file, query) in zip(SCHEMES, GALLERY.items(), strict=True):
        page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
        page.goto(f"{url}/preview{query}")
        save(page, FOLDER / file)
        page.close()


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # every request is not news
    with serve() as url, open_browser() as browser:
        take_emails(browser, url)
        take_gallery(browser, url)
