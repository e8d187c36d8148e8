"""The contact form. CONTACT_EMAIL stays: emails name it for questions."""

from tools.init.offer import Offer

OFFER = Offer(
    name="contact",
    what="the contact form",
    paths=(
        "blueprints/contact.py",
        "emails/contact.py",
        "templates/emails/contact-notice.*",
        "templates/pages/contact.html",
        "tests/blueprints/test_contact.py",
        "tests/emails/test_contact.py",
    ),
    definitions={
        "tests/cli/test_bulk.py": (
            "test_a_cell_of_several_lines_is_one_cell_and_the_line_is_where_its_row_begins",
        ),
        "blueprints/forms.py": ("ContactForm",),
        "tests/hostile/test_fields.py": (
            "BROKEN_FORMS",
            "test_a_form_that_no_browser_sends_is_refused",
            "test_a_form_above_the_limit_is_refused_with_a_page",
        ),
        "tests/pages/test_story.py": (
            "test_an_empty_contact_message_is_held_back_and_a_blank_one_keeps_what_was_typed",
            "test_a_contact_message_arrives_once_with_its_line_breaks_even_after_a_reload",
        ),
    },
    edits=(
        (
            ".env.example",
            "Who gets what visitors write in the contact form; emails name it for questions.",
            "Whom emails name for questions.",
        ),
        ("emails/__init__.py", "from emails.contact import contact_notice\n", ""),
        ("emails/__init__.py", '    "contact_notice",\n', ""),
        (
            "outbox/retention.py",
            "those that somebody wrote: contact notices carry a Reply-To.",
            "those that an answer would go to.",
        ),
        ("templates/pages/base.html", '        {{ link("contact.contact", "Contact") }}\n', ""),
        (
            "templates/pages/home.html",
            """  <li>
    <h2>Send a contact message</h2>
    <p>
      <a href="{{ url_for('contact.contact') }}">Fill in the contact form</a>. The message arrives
      as an email whose reply goes to the visitor.
    </p>
  </li>
""",
            "",
        ),
        (
            "templates/pages/landing.html",
            """  <div>
    <h2>People who answer</h2>
    <p>
      <a href="{{ url_for('contact.contact') }}">Write to us</a>, and the reply comes to your own
      inbox.
    </p>
  </div>
""",
            "",
        ),
        (
            "templates/pages/_macros.html",
            """{# A trap for robots: a stylesheet class takes it away from people and screen readers alike. #}
{% macro honeypot(f) -%}
<div class="honeypot">
  <label for="{{ f.id }}">Leave this field empty</label>
  {{ f(tabindex="-1", autocomplete="off") }}
</div>
{%- endmacro %}

""",
            "",
        ),
        ("static/style.css", ".honeypot { display: none; }\n", ""),
        (
            "tests/blueprints/test_accounts.py",
            '"/forgot-password", "/contact", "/logout")',
            '"/forgot-password", "/logout")',
        ),
        ("tests/blueprints/test_csrf.py", '"/logout", "/contact", ', '"/logout", '),
        ("tests/blueprints/test_development_pages.py", ', "/contact"} <= links', "} <= links"),
        ("tests/blueprints/test_gallery.py", "/preview/contact-notice.eml", "/preview/welcome.eml"),
        (
            "tests/blueprints/test_gallery.py",
            'filename="contact-notice.eml"',
            'filename="welcome.eml"',
        ),
        (
            "tests/blueprints/test_gallery.py",
            'mail["Reply-To"] == "Ann Lee <ann@example.com>"',
            'mail["To"] == "ann@example.com"',
        ),
        (
            "tests/blueprints/test_gallery.py",
            '"do you ship to Norway?" in html',
            '"Ann" in html',
        ),
        (
            "tests/blueprints/test_hostile_input.py",
            '"/forgot-password", "/contact")',
            '"/forgot-password")',
        ),
        ("tests/blueprints/test_limits.py", '"/reset-password", "/contact",', '"/reset-password",'),
        ("tests/blueprints/test_stripe.py", 'in ("/signup", "/contact"):', 'in ("/signup",):'),
        (
            "tests/hostile/test_canaries.py",
            """    assert visitor.submit("/contact", who | {"message": body}).status == 302
""",
            "",
        ),
        ("tests/hostile/test_accounts.py", ', "/contact")\nFIELDS', ")\nFIELDS"),
        (
            "tests/hostile/test_fields.py",
            """    contact: Fields = {"name": "Ann", "email": "ann@example.com", "message": "Hello"}
    signup""",
            "    signup",
        ),
        (
            "tests/hostile/test_fields.py",
            """        assert visitor.submit("/contact", {**contact, "name": evil}).status == 400
        assert visitor.submit("/contact", {**contact, "email": address}).status == 400
""",
            "",
        ),
        ("tests/hostile/test_framing.py", '"/contact", "/login")\nCHUNKED', '"/login")\nCHUNKED'),
        ("tests/pages/test_every_page.py", '    "contact": Place("/contact"),\n', ""),
        (
            "tests/pages/test_every_page.py",
            '    "contact refused": Place("/contact", refused=True),\n',
            "",
        ),
        ("tests/pages/test_every_page.py", "email=contact-notice&sample", "email=welcome&sample"),
        ("tests/pages/test_front_door.py", '    "Fill in the contact form": "Contact us",\n', ""),
        ("tests/pages/test_front_door.py", '"/login", "/contact")', '"/login", "/signup")'),
        ("tests/pages/test_front_door.py", '"Your App", "Contact", ', '"Your App", '),
        ("tests/template/test_routes.py", ' "GET /contact", "POST /contact",', ""),
    ),
)
