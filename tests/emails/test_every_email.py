"""What holds for every email with each of its samples."""

import ast
import re
from operator import attrgetter
from pathlib import Path

import pytest
from markupsafe import escape

import emails
from blueprints.dev.measurements import measure
from emails.compose import all_emails
from message import Address

TEMPLATES = Path(__file__).parents[2] / "templates" / "emails"
CASES = [
    pytest.param(email, sample, id=f"{email.name}, {name}")
    for email in all_emails().values()
    for name, sample in email.samples.items()
]
HOSTILE = [case for case in CASES if str(case.id).endswith("hostile markup")]
LINKS = [case for case in CASES if str(case.id).endswith("a link for a name")]
FRIENDLY = [case for case in CASES if case not in HOSTILE]


@pytest.mark.parametrize(("email", "sample"), CASES)
def test_an_email_is_known_to_providers_by_its_name(email_app, email, sample):
    message = email.compose(**sample)

    assert message.kind == email.name
    assert message.tags == (email.name,)


@pytest.mark.parametrize(("email", "sample"), CASES)
def test_an_email_passes_every_check_of_the_gallery(email_app, email, sample):
    message = email.compose(**sample)

    assert [each for each in measure(message) if each.problem] == []
    assert f"<title>{escape(message.subject)}</title>" in message.html


@pytest.mark.parametrize(("email", "sample"), FRIENDLY)
def test_nobody_is_invited_to_write_where_nobody_reads(email_app, email, sample, monkeypatch):
    invited = email.compose(**sample)
    monkeypatch.setitem(email_app.config, "CONTACT_EMAIL", Address("no-reply@example.com"))
    message = email.compose(**sample)

    for before, now in ((invited.html, message.html), (invited.text, message.text)):
        assert "no-reply" not in now
        assert "Write to" not in " ".join(now.split())
        assert len(now) < len(before) or "hello@example.com" not in before
    assert "\n\n\n" not in message.text
    assert not re.search(r"<p [^>]*>\s*</p>", message.html)


@pytest.mark.parametrize(("email", "sample"), CASES)
def test_marketing_alone_shows_the_way_out(email_app, email, sample):
    message = email.compose(**sample)
    marketing = message.category == "marketing"

    assert bool(re.search(r'href="https://[^"]+"[^>]*>Unsubscribe</a>', message.html)) == marketing
    assert bool(re.search(r"^.* Unsubscribe:\nhttps://\S+$", message.text, re.M)) == marketing
    assert ("unsubscribe" in (message.html + message.text).lower()) == marketing


@pytest.mark.parametrize(("email", "sample"), CASES)
def test_every_piece_of_text_names_its_font_because_outlook_forgets_it(email_app, email, sample):
    seen_by_browsers = re.sub(r"<!--.*?-->", "", email.compose(**sample).html, flags=re.DOTALL)

    tags = re.findall(r"<(?:td|th|p|h1|a) [^>]*>|<(?:td|th|p|h1|a)>", seen_by_browsers)
    assert [tag for tag in tags if "font-family:" not in tag] == []


@pytest.mark.parametrize(("email", "sample"), FRIENDLY)
def test_the_text_holds_no_tags_and_no_entities(email_app, email, sample):
    assert re.findall(r"</?\w+[^>]*>|&#?\w+;", email.compose(**sample).text) == []


@pytest.mark.parametrize(("email", "sample"), CASES)
def test_the_text_is_wrapped_and_spaced(email_app, email, sample):
    text = email.compose(**sample).text
    ours = [line for line in text.splitlines() if line not in sample.get("message", "")]

    assert [line for line in ours if len(line) > 78 and " " in line.strip()] == []
    assert "\n\n\n" not in text
    assert text == text.strip()


@pytest.mark.parametrize(("email", "sample"), HOSTILE)
def test_markup_in_data_is_escaped_in_html_and_literal_in_text(email_app, email, sample):
    message = email.compose(**sample)
    values = [value for value in sample.values() if isinstance(value, str) and "<" in value]

    assert values
    assert re.findall("<(?:img|script)", message.html) == []
    for line in (line for value in values for line in value.splitlines()):
        assert escape(line) in message.html
        assert line in " ".join(message.text.split())


@pytest.mark.parametrize(("email", "sample"), LINKS)
def test_a_link_for_a_name_is_said_nowhere(email_app, email, sample):
    message = email.compose(**sample)

    assert "evil" not in f"{message.subject}{message.html}{message.text}{message.reply_to}"
    assert not re.search(r" ,|  \w", message.subject + message.text)


@pytest.mark.parametrize("email", all_emails().values(), ids=lambda email: email.name)
def test_an_email_is_a_function_of_the_package_with_the_same_name(email):
    function = email.name.replace("-", "_")

    assert getattr(emails, function, None) is email.compose, (
        f"in {email.compose.__module__}, call the function of {email.name!r} {function}"
    )


@pytest.mark.parametrize(
    "path", sorted(Path(emails.__file__).parent.glob("*.py")), ids=attrgetter("stem")
)
def test_every_email_is_named_in_the_package(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in (each for each in tree.body if isinstance(each, ast.FunctionDef)):
        if any(ast.unparse(each).startswith("email(") for each in node.decorator_list):
            assert node.name in emails.__all__, (
                f"nobody sees {node.name}: in emails/__init__.py, write "
                f'`from emails.{path.stem} import {node.name}`, and "{node.name}" into __all__'
            )


@pytest.mark.parametrize("email", all_emails().values(), ids=lambda email: email.name)
def test_an_email_has_samples(email):
    assert email.samples, (
        f"{email.name} is tested and shown by nobody: give @email in {email.compose.__module__} "
        "samples, one at least, such as `samples=NAMES` of emails/samples.py"
    )


def test_every_email_has_both_templates_and_no_template_is_left_over():
    content = {path.name for path in TEMPLATES.iterdir() if not path.name.startswith("_")}

    expected = {f"{name}.{ending}" for name in all_emails() for ending in ("html", "txt")}
    assert expected - content == set(), "write these in templates/emails: each has both bodies"
    assert content - expected == set(), "no @email has such a name: delete these, or rename them"


@pytest.mark.parametrize("name", all_emails())
def test_content_holds_words_and_macros_only(name):
    source = (TEMPLATES / f"{name}.html").read_text(encoding="utf-8")

    tags = set(re.findall(r"<(\w+)", source)) - {"strong", "em", "br"}
    assert tags == set(), f"{name}.html: use the macros of _macros.html, which work in Outlook too"
    assert "style" not in source, f"{name}.html: looks belong into _theme.html and _macros.html"
