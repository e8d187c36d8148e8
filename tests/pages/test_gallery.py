"""The gallery shows every email with every sample, in its frame and in every other view."""

import os

import pytest
from playwright.sync_api import Page, expect

from emails import Email, all_emails
from tools.processes import ROOT

pytestmark = pytest.mark.slow

EMAILS = all_emails()
THEME = ROOT / "templates" / "emails" / "_theme.html"
GROUND = "body => getComputedStyle(body).backgroundColor"


@pytest.mark.parametrize("email", EMAILS.values(), ids=EMAILS.keys())
def test_each_sample_is_shown_without_errors_and_fits_a_phone(page: Page, email: Email):
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"/preview?email={email.name}")
    samples = page.get_by_role("navigation", name="Samples").get_by_role("link")
    expect(samples).to_have_text(list(email.samples))
    for sample in email.samples:
        with page.expect_navigation():
            samples.get_by_text(sample, exact=True).click()
        expect(samples.and_(page.locator("[aria-current=page]"))).to_have_text(sample)
        expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_role("link", name="Text", exact=True).click()
    expect(page.get_by_role("region", name="Text")).to_contain_text("Your App")
    expect(page.get_by_role("region", name="HTML")).to_be_hidden()


def test_the_gallery_leads_to_every_email_and_to_its_bare_parts(page: Page):
    page.goto("/preview")
    names = page.get_by_role("navigation", name="Emails").get_by_role("link")
    expect(names).to_have_count(len(EMAILS))
    names.get_by_text("Password reset").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Password reset")
    bare = page.get_by_role("link", name="Bare").evaluate_all("links => links.map((l) => l.href)")
    assert ["new password" in page.request.get(link).text() for link in bare] == [True, True]


def test_the_choices_change_the_frame_and_stay_when_the_email_changes(page: Page):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="dark")
    page.goto("/preview")
    for width in ("375", "800"):
        with page.expect_navigation():
            page.get_by_role("link", name=f"{width} px").click()
        expect(page.locator("iframe")).to_have_css("width", f"{width}px")
    ground = page.frame_locator("iframe").locator("body")
    light = ground.evaluate(GROUND)  # though the reader's own scheme is dark
    with page.expect_navigation():
        page.get_by_role("link", name="Dark").click()
    expect(ground).not_to_have_css("background-color", light)
    dark = ground.evaluate(GROUND)
    page.emulate_media(color_scheme="light")
    expect(ground).to_have_css("background-color", dark)
    page.get_by_role("link", name="Password reset").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Password reset")
    expect(page.locator("iframe")).to_have_css("width", "800px")
    expect(ground).to_have_css("background-color", dark)


def test_a_sample_that_was_sent_is_found_behind_the_link(page: Page):
    page.goto("/preview?email=onboarding-day-3&sample=long name")
    page.get_by_label("Email", exact=True).fill("desk@example.com")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_contain_text("On its way to desk@example.com by inbox.")
    expect(page.get_by_role("heading", level=2)).to_have_text("Onboarding day 3")
    page.get_by_role("link", name="See what becomes of it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "One thing to try in Your App this week"
    )
    expect(page.get_by_text("desk@example.com").first).to_be_visible()


def test_the_page_follows_when_a_template_is_saved(page: Page):
    page.goto("/preview?email=receipt&view=source")
    page.evaluate("window.asBefore = true")
    with page.expect_navigation(url="**view=source"):
        os.utime(THEME)
    expect(page.get_by_role("region", name="Source")).to_be_visible()
    assert not page.evaluate("window.asBefore || false")
