"""What a visitor does, from end to end: sign up, read, forget the password, write to us."""

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from tests.pages.conftest import watched_context
from tools.processes import wait_until

pytestmark = pytest.mark.slow

OLD_PASSWORD = "the first password"
NEW_PASSWORD = "another password"
CONFIRM = "Confirm your address"


def fill(page: Page, **values: str) -> None:
    for label, value in values.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(value)


def sign_up(page: Page, email: str, name: str = "Ann") -> None:
    page.goto("/signup")
    fill(page, Name=name, Email=email, Password=OLD_PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def log_in(page: Page, email: str, password: str) -> None:
    page.goto("/login")
    fill(page, Email=email, Password=password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()


def ask_for_a_reset_link(page: Page, email: str) -> None:
    page.goto("/login")
    page.get_by_role("link", name="Forgot your password?").click()
    fill(page, Email=email)
    page.get_by_role("button", name="Send the link").click()


def open_email(page: Page, to: str, subject: str) -> FrameLocator:
    """Open an email from the inbox; the frame with its HTML."""
    page.goto("/inbox")
    page.get_by_role("listitem").filter(has_text=to).get_by_role("link", name=subject).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(subject)
    return page.frame_locator("iframe")


def link_of(page: Page) -> str:
    """The link that confirms an address, in the email that is open."""
    button = page.frame_locator("iframe").get_by_role("link", name=CONFIRM)
    return button.get_attribute("href") or ""


def follow(context: BrowserContext, frame: FrameLocator, button: str) -> Page:
    """Click a button of an email, which opens a tab of its own."""
    with context.expect_page() as opened:
        frame.get_by_role("link", name=button).click()
    opened.value.wait_for_load_state()
    return opened.value


def open_account(context: BrowserContext, email: str, name: str = "Ann") -> Page:
    """Sign up and follow the link of the email; the tab in which one is logged in."""
    page = context.new_page()
    sign_up(page, email, name)
    opened = follow(context, open_email(page, email, f"Welcome, {name}"), CONFIRM)
    expect(opened.get_by_role("heading", level=1)).to_have_text("Your account")
    opened.close()
    return page


def test_the_welcome_email_appears_in_the_inbox_by_itself_and_its_button_opens_the_account(
    context: BrowserContext,
):
    inbox, page = context.new_page(), context.new_page()
    inbox.goto("/inbox")
    inbox.evaluate("window.neverReloaded = true")
    sign_up(page, "ann@example.com")
    expect(page.get_by_role("status")).to_contain_text("We sent you an email")
    row = inbox.get_by_role("listitem").filter(has_text="Welcome, Ann")
    expect(row).to_contain_text("ann@example.com")
    expect(row.locator(".badge")).to_have_text("accepted")
    assert inbox.evaluate("window.neverReloaded")

    inbox.bring_to_front()
    row.get_by_role("link").click()
    frame = inbox.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_contain_text("Ann")
    account = follow(context, frame, CONFIRM)  # in the browser that signed up nothing more is asked
    expect(account.get_by_role("status")).to_contain_text("Your address is confirmed")
    expect(account.get_by_role("main")).to_contain_text("ann@example.com")
    account.get_by_role("main").get_by_role("button", name="Log out").click()
    log_in(page, "ann@example.com", OLD_PASSWORD)
    expect(page).to_have_url(re.compile("/account$"))


def test_the_password_of_a_stranger_opens_nothing_and_a_scanner_of_links_confirms_nothing(
    browser: Browser, context: BrowserContext, url: str
):
    attacker = context.new_page()
    sign_up(attacker, "victim@example.com", "Vic")
    open_email(attacker, "victim@example.com", "Welcome, Vic")
    link = link_of(attacker)
    with watched_context(browser, base_url=url) as scanner:
        for _ in range(3):
            assert scanner.request.head(link).status == 200
            page = scanner.new_page()
            page.goto(link, wait_until="networkidle")
            expect(page.get_by_label("Password")).to_be_visible()
    with watched_context(browser, base_url=url) as owner:
        page = owner.new_page()
        page.goto("/inbox?q=victim@")
        expect(page.locator("#mails li")).to_have_count(1)  # no marketing yet
        page.goto(link)
        fill(page, Password=NEW_PASSWORD)
        page.get_by_role("button", name="Confirm and log in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    attacker.goto("/account")
    expect(attacker.get_by_role("heading", level=1)).to_have_text("Log in")
    log_in(attacker, "victim@example.com", OLD_PASSWORD)
    expect(attacker.get_by_role("alert")).to_have_text("Email or password is wrong.")


def test_a_forgotten_password_is_replaced_through_the_emailed_link_which_works_once(
    context: BrowserContext,
):
    page = open_account(context, "bob@example.com", "Bob")
    page.context.clear_cookies()
    ask_for_a_reset_link(page, "bob@example.com")
    expect(page.get_by_role("status")).to_contain_text("a link is on its way")
    frame = open_email(page, "bob@example.com", "Reset your password")
    reset = follow(context, frame, "Choose a new password")
    link = reset.url
    fill(reset, Password=NEW_PASSWORD)
    reset.get_by_role("button", name="Save the password").click()
    expect(reset.get_by_role("status")).to_contain_text("Your password is changed")
    reset.close()

    log_in(page, "bob@example.com", OLD_PASSWORD)
    expect(page.get_by_role("alert")).to_have_text("Email or password is wrong.")
    log_in(page, "bob@example.com", NEW_PASSWORD)
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.get_by_role("main")).to_contain_text("Bob")
    page.get_by_role("main").get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out, on all your devices.")
    page.goto("/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")

    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    page.get_by_role("link", name="Ask for a new link").click()
    expect(page).to_have_url(re.compile("/forgot-password$"))


def test_a_wrong_password_shows_an_error_and_keeps_the_address_but_not_the_password(page: Page):
    log_in(page, "nobody@example.com", "a wrong password")
    expect(page.get_by_role("alert")).to_have_text("Email or password is wrong.")
    expect(page.get_by_label("Email")).to_have_value("nobody@example.com")
    expect(page.get_by_label("Password")).to_have_value("")


def test_an_empty_contact_message_is_held_back_and_a_blank_one_keeps_what_was_typed(page: Page):
    page.goto("/contact")
    fill(page, Your_name="Cem", Email="cem@example.com")
    send = page.get_by_role("button", name="Send message")
    send.click()
    expect(page.get_by_label("Message")).to_be_focused()  # the browser's own check, no request
    page.get_by_label("Message").fill("  \n ")
    send.click()
    expect(page.get_by_role("alert").first).to_have_text("All fields are required.")
    expect(page.get_by_label("Your name")).to_have_value("Cem")
    expect(page.get_by_label("Email")).to_have_value("cem@example.com")
    expect(page.get_by_label("Message")).to_have_accessible_description("Write a message.")


def test_a_contact_message_arrives_once_with_its_line_breaks_even_after_a_reload(page: Page):
    page.goto("/contact")
    fill(page, Your_name="Dora", Email="dora@example.com", Message="First line\nSecond <b>line</b>")
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_role("status")).to_have_text("Message sent! We'll get back to you soon.")
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)
    expect(page.get_by_label("Message")).to_have_value("")

    page.goto("/inbox?q=Dora")
    expect(page.get_by_role("listitem").filter(has_text="New message from Dora")).to_have_count(1)
    frame = open_email(page, "owner@example.com", "New message from Dora")
    page.wait_for_load_state()
    assert frame.locator("td.panel").inner_text() == "First line\nSecond <b>line</b>"


def test_one_click_in_a_marketing_email_and_one_on_the_page_unsubscribe(context: BrowserContext):
    page = open_account(context, "ida@example.com", "Ida")
    frame = open_email(page, "ida@example.com", "One thing to try")
    asked = follow(context, frame, "Unsubscribe")
    expect(asked.get_by_role("main")).to_contain_text("i***@example.com")
    asked.get_by_role("button", name="Unsubscribe").click()
    expect(asked.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")
    asked.close()
    page.goto("/inbox?q=ida@")
    row = page.get_by_role("listitem").filter(has_text="One thing to try")
    expect(row.locator(".badge")).to_have_text("cancelled")


def test_the_inbox_shows_hostile_text_as_text(context: BrowserContext):
    hostile = "<img src=x onerror=alert(1)>"
    inbox, page = context.new_page(), context.new_page()
    inbox.goto("/inbox")
    sign_up(page, "eve@example.com", hostile)
    row = inbox.get_by_role("listitem").filter(has_text=f"Welcome, {hostile}")
    expect(row).to_contain_text("eve@example.com")
    inbox.bring_to_front()
    row.get_by_role("link").click()
    expect(inbox.get_by_role("heading", level=1)).to_contain_text(hostile)
    expect(inbox.frame_locator("iframe").get_by_role("heading", level=1)).to_contain_text(hostile)


def test_typing_in_the_search_box_filters_the_inbox(page: Page):
    for email in ("finn@example.com", "gina@example.com"):
        sign_up(page, email)
    page.goto("/inbox")
    rows = page.locator("#mails li")
    page.get_by_role("searchbox").press_sequentially("gina@")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("gina@example.com")
    page.get_by_role("searchbox").fill("nobody at all")
    expect(page.get_by_role("heading", name="No email matches")).to_be_visible()
    page.get_by_role("searchbox").fill("")
    expect(rows.filter(has_text="finn@example.com")).to_have_count(1)


def test_without_javascript_people_sign_up_search_the_inbox_and_read_all_parts(
    browser: Browser, url: str
):
    with watched_context(browser, base_url=url, java_script_enabled=False) as context:
        read_without_javascript(context.new_page())


def read_without_javascript(page: Page) -> None:
    sign_up(page, "hana@example.com", "Hana")
    page.goto("/inbox")
    page.get_by_role("searchbox").fill("hana@")

    def is_found() -> bool:  # it comes a moment later, and nothing here draws the list anew
        page.get_by_role("button", name="Search").click()
        return page.locator("#mails li").count() == 1

    wait_until(is_found, "the welcome email in the inbox")
    page.get_by_role("link", name="Welcome, Hana").click()
    for part, words in (("Text", "Hana"), ("Headers", "hana@example.com")):
        page.get_by_text(part, exact=True).click()
        expect(page.get_by_role("region", name=part)).to_contain_text(words)
        expect(page.get_by_role("region", name="HTML")).to_be_hidden()
    page.get_by_text("HTML", exact=True).click()
    page.goto(link_of(page))
    page.get_by_role("button", name="Confirm and log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
