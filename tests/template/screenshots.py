"""Pictures of every email, the gallery, the inbox and some pages: `make screenshots`.

Those that the README shows go to docs/screenshots/, all others to build/screenshots/, which git
ignores. The inbox shows what a provider would have reported.
"""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Literal

from flask import Flask
from flask_migrate import upgrade
from PIL import Image
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

import emails
from app import create_app
from background import send_in_background
from database import db, utc_now
from emails.compose import all_emails
from message import EmailMessage
from providers import BounceClass, EventType, TrackingEvent
from testing import TEST_SETTINGS
from tests.emails.conftest import SETTINGS
from tests.webhooks.reports import apply_reports
from tools.browser import open_browser
from tools.processes import ROOT

STORED = ROOT / "docs" / "screenshots"
OTHERS = ROOT / "build" / "screenshots"
OF_THE_README = {
    "inbox.png": "inbox.png",
    "inbox-email.png": "inbox-email.png",
    "preview.png": "preview.png",
    "receipt-800-light.png": "email.png",
}
"""Which pictures are stored, and under which names."""
COLOURS = 128  # enough for flat colours and smooth letters
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (375, 800)
# The sample with the most to see, where that is not the first.
SAMPLES = {"receipt": "every part", "payment-failed": "next attempt"}
GALLERY = {
    "preview.png": "?email=receipt&sample=every part",
    "preview-dark.png": "?email=onboarding-day-3&width=375&scheme=dark",
}


PAGES = {"home.png": "/", "sign-up.png": "/signup", "contact.png": "/contact"}
# Who got the welcome email, and what the provider said about it, in order.
REPORTS = {
    "Cem": (EventType.SENT, EventType.DELIVERED, EventType.COMPLAINED),
    "Bea": (EventType.SENT, EventType.BOUNCED),
    "Dora": (EventType.SENT, EventType.DELIVERED, EventType.OPENED, EventType.CLICKED),
    "Ann": (EventType.SENT, EventType.DELIVERED),
}


@contextmanager
def serve(folder: Path) -> Iterator[tuple[Flask, str]]:
    """The app on a free port, with a database in `folder`, and its URL."""
    app = create_app(TEST_SETTINGS | SETTINGS | {"DATABASE_URL": f"sqlite:///{folder}/app.db"})
    with app.app_context():
        upgrade()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield app, f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


def save(page: Page, name: str) -> None:
    """Store the whole page as a small PNG."""
    path = STORED / OF_THE_README[name] if name in OF_THE_README else OTHERS / name
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    small = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)} {path.stat().st_size / 1024:.0f} KB")  # noqa: T201


def take_emails(browser: Browser, url: str) -> None:
    for width in WIDTHS:
        page = browser.new_page(viewport={"width": width, "height": 400})
        for name, email in all_emails().items():
            sample = SAMPLES.get(name) or next(iter(email.samples))
            page.goto(f"{url}/preview/{name}?sample={sample}")
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                save(page, f"{name}-{width}-{scheme}.png")
        page.close()


def take_gallery(browser: Browser, url: str) -> None:
    for scheme, (file, query) in zip(SCHEMES, GALLERY.items(), strict=True):
        page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
        page.goto(f"{url}/preview{query}")
        save(page, file)
        page.close()


def fill_inbox() -> str:
    """Send some emails and report on them; the id of the one that bounced. Needs a context."""
    ids = {}
    for name, reports in REPORTS.items():
        to = f"{name.lower()}@example.com"
        ids[name] = send(emails.welcome(to=to, name=name))
        for report in reports:
            tell(ids[name], to, report)
    news = emails.onboarding_day_3(to="ann@example.com", name="Ann", send_at=days_ahead(3))
    send(news)
    send(emails.welcome(to="bea@example.com", name="Bea"))
    return ids["Bea"]


def days_ahead(days: int) -> datetime:
    return utc_now() + timedelta(days=days)


def send(message: EmailMessage) -> str:
    email_id = send_in_background(message).id
    db.session.commit()
    return email_id


def tell(email_id: str, to: str, kind: EventType) -> None:
    bounced = kind is EventType.BOUNCED
    event = TrackingEvent(
        provider="inbox",
        event_id=f"{email_id}-{kind}",
        type=kind,
        at=utc_now(),
        email_id=email_id,
        recipient=to,
        bounce=BounceClass.HARD if bounced else None,
        reason="550 5.1.1 no such user" if bounced else "",
    )
    apply_reports(db.session(), [event])
    db.session.commit()


def take_pages(browser: Browser, app: Flask, url: str) -> None:
    with app.app_context():
        bounced = fill_inbox()
    app.config |= {
        "APP_URL": "http://127.0.0.1:5000",
        "EMAIL_DELIVERY": "thread",
    }  # as for a reader
    paths = PAGES | {"inbox.png": "/inbox", "inbox-email.png": f"/inbox/{bounced}"}
    page = browser.new_page(viewport={"width": 1200, "height": 700})
    for file, path in paths.items():
        page.goto(url + path)
        for totals in page.locator("details.totals summary").all():
            totals.click()
        save(page, file)
    page.close()


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # every request is not news
    OTHERS.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="screenshots-") as folder,
        serve(Path(folder)) as (app, url),
        open_browser() as browser,
    ):
        take_emails(browser, url)
        take_gallery(browser, url)
        take_pages(browser, app, url)
