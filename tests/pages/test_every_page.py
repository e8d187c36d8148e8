"""What holds on every page: its outline, its width on a phone, the keyboard, and axe-core."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import requests
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]  # has no types
from playwright.sync_api import Browser, Page, expect

from tests.pages.conftest import watched_context
from tools.processes import wait_until

LONG_WORD = "Wolfeschlegelsteinhausenbergerdorff" * 2
ACCOUNT = {"name": LONG_WORD, "email": "ann@example.org", "password": "a long password"}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

# What has the focus, and whether one can see it: the outline is drawn around the element or by its
# ::after; for a radio button, which is hidden, around the words beside it.
FOCUS = """() => {
  const element = document.activeElement;
  if (element === document.body || element.tagName === "IFRAME") return null;
  const seen = element.matches("[type=radio]") ? element.nextElementSibling : element;
  const outlined = [getComputedStyle(seen), getComputedStyle(seen, "::after")].some(
    (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  const box = seen.getBoundingClientRect();
  const inView = box.top < innerHeight && box.bottom > 0 && box.width > 0;
  return { name: seen.textContent || seen.name, visible: outlined && inView };
}"""

# The emails in frames are not the page's; their own tests look at them.
RUN_AXE = """async () => {
  const { violations } = await axe.run({ iframes: false, resultTypes: ["violations"] });
  return violations.map((each) => [each.id, each.help, each.nodes.map((node) => node.html)]);
}"""


@dataclass(frozen=True)
class Place:
    """A page in one of its states: `refused` is a form sent back, `log_in` happens before."""

    path: str
    status: int = 200
    refused: bool = False
    log_in: bool = False


PLACES = {
    "first steps": Place("/"),
    "landing": Place("{production_url}/"),
    "sign-up": Place("/signup"),
    "sign-up refused": Place("/signup", refused=True),
    "log-in": Place("/login"),
    "log-in refused": Place("/login", refused=True),
    "account": Place("/account", log_in=True),
    "forgot password": Place("/forgot-password"),
    "confirm": Place("/confirm/{confirm}"),
    "confirm refused": Place("/confirm/{confirm}", refused=True),
    "confirm link expired": Place("/confirm/expired", status=400),
    "reset password": Place("/reset-password?token={token}"),
    "reset link expired": Place("/reset-password?token=expired", status=400),
    "contact": Place("/contact"),
    "contact refused": Place("/contact", refused=True),
    "inbox": Place("/inbox"),
    "inbox without a match": Place("/inbox?q=nobody"),
    "email": Place("/inbox/{email_id}"),
    "preview": Place("/preview"),
    "unsubscribe": Place("/unsubscribe/{way_out}"),
    "preview, source": Place("/preview?email=receipt&view=source"),
    "preview, headers": Place("/preview?email=contact-notice&sample=right to left&view=headers"),
    "preview, refused": Place("/preview?sample=hostile markup", refused=True),
    "not found": Place("/nowhere", status=404),
}


@pytest.fixture(scope="module")
def details(url: str, production_url: str) -> dict[str, str]:
    """What the paths leave open: the addresses of an email and of a reset page."""
    emails = Emails(url)
    emails.ask("signup", ACCOUNT)
    welcome = emails.newest(1)
    with requests.Session() as visitor:
        page = f"{url}/confirm/{emails.link(welcome, 'confirm/')}"
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', visitor.get(page).text)
        assert token
        form = {"csrf_token": token[1], "password": ACCOUNT["password"]}
        visitor.post(page, data=form).raise_for_status()
    later = emails.newest(2)
    emails.ask("password-reset", ACCOUNT)
    reset = emails.newest(3)
    waiting = ACCOUNT | {"email": "waiting@example.org"}
    emails.ask("signup", waiting)
    return {
        "email_id": welcome,
        "confirm": emails.link(emails.newest(1, waiting["email"]), "confirm/"),
        "token": emails.link(reset, "reset-password?token="),
        "way_out": emails.link(later, "unsubscribe/"),
        "production_url": production_url,
    }


@dataclass(frozen=True)
class Emails:
    """Those that the app at `url` sends; requests to it that make it send some."""

    url: str

    def ask(self, route: str, fields: dict[str, str]) -> None:
        requests.post(f"{self.url}/api/{route}", json=fields, timeout=10).raise_for_status()

    def newest(self, count: int, to: str = ACCOUNT["email"]) -> str:
        """The id of the newest email to somebody, once there are `count`."""
        found: list[dict[str, str]] = []

        def arrived() -> bool:
            feed = requests.get(f"{self.url}/inbox.json?q={to}", timeout=10).json()
            found[:] = feed["emails"]
            return len(found) == count

        wait_until(arrived, f"{count} emails to {to}")
        return found[0]["id"]

    def link(self, email_id: str, path: str) -> str:
        """What follows `path` in a link of an email."""
        html = requests.get(f"{self.url}/inbox/{email_id}/body", timeout=10).text
        found = re.search(rf"/{re.escape(path)}([^\"]+)", html)
        assert found
        return found[1]


@pytest.fixture(scope="module", params=PLACES.values(), ids=list(PLACES))
def page(
    request: pytest.FixtureRequest, browser: Browser, url: str, details: dict[str, str]
) -> Iterator[Page]:
    """Every page in turn, opened once in a profile of its own; only one test moves the focus."""
    place: Place = request.param
    with watched_context(browser, base_url=url) as context:
        page = context.new_page()
        if place.log_in:
            log_in(page)
        answer = page.goto(place.path.format(**details))
        assert answer
        assert answer.status == place.status
        if place.refused:
            submit_past_the_checks_of_the_browser(page)
        page.wait_for_load_state()  # words can be seen before the style sheet is there
        yield page


def log_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(ACCOUNT["email"])
    page.get_by_label("Password").fill(ACCOUNT["password"])
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


def submit_past_the_checks_of_the_browser(page: Page) -> None:
    form = page.locator("main form")
    form.evaluate("form => { form.noValidate = true; }")
    form.get_by_role("button").click()
    expect(page.get_by_role("alert").first).to_be_visible()


def test_the_page_has_a_title_and_one_first_heading(page: Page):
    assert "Your App" in page.title()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


@pytest.mark.parametrize("width", [320, 375])
def test_the_page_does_not_scroll_sideways_on_a_phone(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 700})
    needed = page.evaluate("document.documentElement.scrollWidth")
    assert needed <= width


def test_the_keyboard_sees_where_it_is_and_the_skip_link_leads_past_the_navigation(page: Page):
    page.set_viewport_size({"width": 375, "height": 700})
    stops = list(walk(page))
    assert stops[0]["name"] == "Skip to content"
    assert len(stops) > 4
    assert [stop for stop in stops if not stop["visible"]] == []
    page.get_by_role("link", name="Skip to content").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def walk(page: Page) -> Iterator[dict[str, Any]]:
    """Press Tab from the top until the page, or the frame of an email, is reached again."""
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop is None:
            return
        yield stop
    raise AssertionError("the keyboard does not get through the page")


def test_axe_finds_nothing_in_light_and_dark_on_phone_and_desktop(page: Page):
    page.evaluate(AXE_SCRIPT)
    for width, scheme in itertools.product((375, 1200), SCHEMES):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(RUN_AXE)
        assert found == [], f"at {width} px, {scheme}"
