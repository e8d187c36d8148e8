"""Every email in a real browser: axe-core, narrow screens, and stand-ins for hard mail clients."""

import itertools

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]  # has no types

from emails.compose import all_emails
from tests.emails.clients import (
    CONTRASTS_WHEN_FORCED_DARK,
    TURN_INTO_OUTLOOK,
    USE_STYLE_SHEETS,
    for_outlook,
)
from tests.emails.test_every_email import CASES, LINKS
from tools.browser import open_browser

pytestmark = pytest.mark.slow

RUN_AXE = """async () => {
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  return violations.map((each) => [each.id, each.help, each.nodes.map((node) => node.html)]);
}"""
SCROLL_WIDTH = "document.documentElement.scrollWidth"
WIDTH_OF_TEXT = """Math.max(...[...document.querySelectorAll("p, h1, th, td")]
  .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .map((e) => e.getBoundingClientRect().width))"""
BUTTONS = """[...document.querySelectorAll("td.button")].map((e) => ({
  height: e.getBoundingClientRect().height,
  ground: getComputedStyle(e).backgroundColor,
}))"""
TRANSPARENT = "rgba(0, 0, 0, 0)"


@pytest.fixture(scope="module")
def tab():
    """One tab of a real browser."""
    with open_browser() as browser:
        yield browser.new_page()


@pytest.fixture(
    scope="module",
    # One without a name is laid out as one with a short name.
    params=[pytest.param(case.values, id=case.id) for case in CASES if case not in LINKS],
)
def html(request, strict_app):
    """The HTML of every email with each of its samples in turn."""
    email, sample = request.param
    with strict_app.app_context():
        return email.compose(**sample).html


@pytest.fixture(scope="module")
def page(tab, html):
    """The tab with that email in it, loaded once."""
    tab.set_content(html)
    tab.evaluate(AXE_SCRIPT)
    return tab


def look(page, width, scheme="light"):
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)


def test_axe_finds_nothing_in_light_and_dark_on_phone_and_desktop(page):
    for width, scheme in itertools.product((375, 800), ("light", "dark")):
        look(page, width, scheme)
        assert page.evaluate(RUN_AXE) == [], f"at {width} px, {scheme}"


def test_it_does_not_scroll_sideways_on_a_phone_even_without_style_sheets(page):
    look(page, 375)
    needed = page.evaluate(SCROLL_WIDTH)
    page.evaluate(USE_STYLE_SHEETS, False)
    without = page.evaluate(SCROLL_WIDTH)
    page.evaluate(USE_STYLE_SHEETS, True)

    assert (needed, without) == (375, 375)


def test_its_words_can_be_read_when_a_client_forces_it_into_the_dark(page):
    look(page, 800)
    contrasts = page.evaluate(CONTRASTS_WHEN_FORCED_DARK)

    assert min(contrasts.values()) >= 3, contrasts


def test_in_outlook_the_column_stays_narrow_and_buttons_stay_filled(tab, html):
    look(tab, 1264)
    tab.set_content(for_outlook(html))
    tab.evaluate(TURN_INTO_OUTLOOK)

    assert 400 < tab.evaluate(WIDTH_OF_TEXT) <= 640
    for button in tab.evaluate(BUTTONS):
        assert button["height"] >= 32
        assert button["ground"] != TRANSPARENT


def test_a_language_from_right_to_left_mirrors_the_email(tab, change_theme):
    change_theme('lang = "…"', "ar")
    receipt = all_emails()["receipt"]
    tab.set_content(receipt.compose(**receipt.samples["every part"]).html)
    tab.evaluate(AXE_SCRIPT)
    look(tab, 375)

    label, amount = (tab.locator(cell).last.bounding_box() for cell in ("th", "td.line"))
    assert label["x"] > amount["x"] + amount["width"] - 1
    assert tab.evaluate(SCROLL_WIDTH) == 375
    assert tab.evaluate(RUN_AXE) == []
