"""The gallery shows every email with every sample, as HTML in its frame and as text."""

import pytest
from playwright.sync_api import Page, expect

from emails.compose import Email, all_emails

EMAILS = all_emails()


@pytest.mark.parametrize("email", EMAILS.values(), ids=EMAILS.keys())
def test_each_sample_is_shown_without_errors_and_fits_a_phone(page: Page, email: Email):
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"/preview?email={email.name}")
    samples = page.get_by_role("navigation", name="Samples").get_by_role("link")
    expect(samples).to_have_text(list(email.samples))
    for sample in email.samples:
        samples.get_by_text(sample, exact=True).click()
        expect(samples.and_(page.locator("[aria-current=page]"))).to_have_text(sample)
        expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_text("Text", exact=True).click()
    expect(page.get_by_role("region", name="Text")).to_contain_text("Your App")
    expect(page.get_by_role("region", name="HTML")).to_be_hidden()


def test_the_gallery_leads_to_every_email_and_to_its_bare_parts(page: Page):
    page.goto("/preview")
    names = page.get_by_role("navigation", name="Emails").get_by_role("link")
    expect(names).to_have_count(len(EMAILS))
    names.get_by_text("Receipt").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Receipt")
    bare = page.get_by_role("link", name="Bare").evaluate_all("links => links.map((l) => l.href)")
    assert ["Total" in page.request.get(link).text() for link in bare] == [True, True]


def test_the_frame_can_be_as_narrow_as_a_phone(page: Page):
    page.set_viewport_size({"width": 1200, "height": 900})
    page.goto("/preview")
    page.get_by_text("375 px").click()
    frame = page.locator("iframe").bounding_box()
    assert frame
    assert frame["width"] == 375
