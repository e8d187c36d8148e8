"""Which names our emails say, and which look like a link."""

import pytest

import emails

PEOPLE = (
    "Ann", "J. R. Smith", "J.R.R. Tolkien", "J.R.Smith", "St. John", "St.John", "Dr.Who", "Dr. Who",
    "Mr.T", "O.J.Simpson", "J.de Vries", "Ann Lee, M.Sc.", "Bob, Ph.D", "Acme Inc.", "Bob Jr. MD",
    "Zoë 💌", "ليلى الحسن", "田中。", "No. 5", "v2.0", "Agent 007-42",
    "Ann & Bob's", '"Ace" <b>Lee</b>',
)  # fmt: skip

LINKS = (
    "you won: https://evil.example", "http:evil", "ftp://x", "evil.example", "www.x",
    "Evil.Example",
    "go to evil.example/claim now", "(evil.example)", "evil.example.", "ann@evil.example",
    "evil\u3002example", "evil\uff0eexample", "evil\u2024example", "ev\u200bil.ex\u00adample",
    "\uff45vil.example", "xn--e1a.xn--p1ai", "пример.рф", "x.com", "t.co/abc", "Dr.com",
    "st.john/claim", "192.0.2.1",
    "locked? call +1 (900) 555-0199", "0800 12 34 56", "0800\u201312\u201334\u201356", "١٢٣٤٥٦٧",
)  # fmt: skip


@pytest.mark.parametrize("name", PEOPLE)
def test_a_name_is_said_as_it_was_typed(name):
    assert emails.greeting_name(name) == name


@pytest.mark.parametrize("name", LINKS)
def test_what_programs_make_a_link_of_is_not_said(name):
    assert emails.greeting_name(name) == ""
