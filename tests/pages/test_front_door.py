"""The first page: the newcomer's walk in development, a plain landing page in production."""

from playwright.sync_api import BrowserContext, Page, expect

STEPS = {
    "Create an account": "Create your account",
    "Open the inbox": "Inbox",
    "Open the gallery": "Preview",
    "Fill in the contact form": "Contact us",
}


def test_each_step_leads_to_its_page_and_the_brand_leads_back(page: Page):
    page.goto("/")
    for link, heading in STEPS.items():
        page.get_by_role("main").get_by_role("link", name=link).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Your App").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Send your first email")


def test_the_number_of_a_step_stands_in_a_circle_however_tall_its_neighbour_is(page: Page):
    size = "step => [getComputedStyle(step, '::before')].map((it) => it.width + it.height)[0]"
    for width in (375, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("/")
        steps = page.locator(".steps li")
        assert {steps.nth(number).evaluate(size) for number in range(6)} == {"32px32px"}


def test_the_first_steps_name_the_provider_and_print_a_curl_line_that_can_be_copied(
    context: BrowserContext, url: str
):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_role("definition")).to_have_text(["inbox", "thread"])
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == (
        f'curl -X POST {url}/api/send -H "Content-Type: application/json" '
        """-d '{"email": "user@example.com", "name": "Alice"}'"""
    )


def test_every_link_of_the_plain_pages_works(page: Page):
    links: set[str] = set()
    for path in ("/", "/login", "/contact"):
        page.goto(path)
        found = page.get_by_role("link").evaluate_all("links => links.map((link) => link.href)")
        links.update(found)
    assert len(links) > 6
    assert {link: page.request.get(link).status for link in links} == dict.fromkeys(links, 200)


def test_production_shows_a_landing_page_with_the_way_in_and_no_development_pages(
    page: Page, production_url: str
):
    page.goto(production_url)
    names = page.get_by_role("navigation").get_by_role("link").all_inner_texts()
    assert names == ["Your App", "Contact", "Log in", "Sign up"]
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Create your account")
