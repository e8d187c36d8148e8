"""The brand stands in one file, and every email follows it."""

import re

import pytest

import emails
from blueprints.dev.measurements import measure
from blueprints.dev.reader import Reader

LOGO = '{"src": "https://app.example.com/logo.png", "width": 140, "height": 32}'


def welcome():
    return emails.welcome(to="ann@example.com", name="Ann")


def test_without_a_logo_the_name_of_the_app_stands_at_the_top(email_app):
    assert Reader(welcome().html).images == []
    assert ">Acme</a>" in welcome().html


def test_a_logo_takes_its_place_with_the_name_as_its_words(change_theme):
    change_theme("logo = …", LOGO)
    message = welcome()

    [image] = Reader(message.html).images
    assert image["src"] == "https://app.example.com/logo.png"
    assert (image["alt"], image["width"], image["height"]) == ("Acme", "140", "32")
    assert ">Acme</a>" not in message.html
    assert [each for each in measure(message) if each.problem] == []


@pytest.mark.parametrize(
    ("in_theme", "in_email", "new"),
    [
        ('light = {\n  "ground": "…"', "…", "#fff8f0"),
        ('dark = {\n  "ground": "…"', "…", "#101810"),
        ('set radius = "…"', "border-radius:…;", "3px"),
        ("…,-apple-system", "font-family:…,", "Georgia"),
    ],
)
def test_what_the_theme_says_is_said_nowhere_else(change_theme, in_theme, in_email, new):
    before = welcome().html
    old = change_theme(in_theme, new)

    assert before.count(in_email.replace("…", old)) > 0
    assert welcome().html == before.replace(*(in_email.replace("…", each) for each in (old, new)))


@pytest.mark.parametrize(("lang", "dir"), [("fr", "ltr"), ("ar", "rtl"), ("he-IL", "rtl")])
def test_the_direction_follows_from_the_language(change_theme, lang, dir):
    change_theme('lang = "…"', lang)
    receipt = emails.receipt(to="ann@example.com", amount=2900, currency="usd", plan="Pro").html

    start, end = ("right", "left") if dir == "rtl" else ("left", "right")
    assert f'<html lang="{lang}" dir="{dir}">' in receipt
    assert re.findall(rf'<th [^>]*align="{end}"', receipt) == []
    assert len(re.findall(rf'<th [^>]*scope="row" align="{start}"', receipt)) == 3
    assert len(re.findall(rf'<td [^>]*align="{end}"[^>]*padding-{start}:16px', receipt)) == 3


def test_the_rules_that_mail_clients_may_drop_stay_small(email_app):
    styles = re.findall("<style>.*?</style>", welcome().html, re.DOTALL)

    assert len(styles) == 2  # a client that stumbles over one keeps the other
    assert sum(map(len, styles)) < 1024
