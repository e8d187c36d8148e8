"""What counts as one address, and how it is written."""

from typing import Any

import pytest

from errors import InvalidMessage
from message.address import Address, counted_as


@pytest.mark.parametrize(
    ("text", "email", "name"),
    [
        ("ann@example.com", "ann@example.com", ""),
        ("  ann@example.com ", "ann@example.com", ""),
        ("<ann@example.com>", "ann@example.com", ""),
        ("Ann <ann@example.com>", "ann@example.com", "Ann"),
        (" Ann  Lee  < ann@example.com > ", "ann@example.com", "Ann  Lee"),
        ('"Lee, Ann" <ann@example.com>', "ann@example.com", "Lee, Ann"),
        (r'"Ann \"Ace\" Lee" <ann@example.com>', "ann@example.com", 'Ann "Ace" Lee'),
        ("Änn 李 <ann@example.com>", "ann@example.com", "Änn 李"),
        ("Ann.Lee+tag@EXAMPLE.com", "Ann.Lee+tag@example.com", ""),
        ("ann@app.test", "ann@app.test", ""),
        ("Ann <ann@app.localhost>", "ann@app.localhost", "Ann"),
        ("ann@printer.local", "ann@printer.local", ""),
        ("ann@app.example", "ann@app.example", ""),
        ("ann@münchen.example.com", "ann@xn--mnchen-3ya.example.com", ""),
    ],
)
def test_an_address_is_read_with_or_without_a_name(text: str, email: str, name: str):
    assert Address.parse(text) == Address(email, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Ann",
        "Lee, Ann",
        'A "B" C',
        "A <b@c.de>",
        "back\\slash",
        "Änn, 李",
        'Änn "Ä" \\ 李',
        "O'Hara",
        "a@b",
    ],
)
def test_an_address_survives_the_form_that_headers_use(name: str):
    address = Address("ann@example.com", name)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        " ",
        "ann",
        "ann@",
        "@example.com",
        "ann@example",
        "ann@@example.com",
        "ann@test",
        "ann@localhost",
        "ann@app.invalid",
        "ann@hidden.onion",
        "ann@exa mple.com",
        "ann@example.com, bob@example.com",
        "Ann <ann@example.com>, Bob <bob@example.com>",
        "Ann <ann@example.com> bob@example.com",
        "Ann <ann@example.com",
        "Ann <>",
        "ann@example.com\r\nBcc: bob@example.com",
        "Ann\r\nBcc: bob@example.com <ann@example.com>",
        "Ann\x00 <ann@example.com>",
        "Ann\u2028 <ann@example.com>",
        "Ann\ud800 <ann@example.com>",
        "änn@example.com",
        f"{'a' * 256} <ann@example.com>",
        f"{'a' * 250}@example.com",
        " " * 598 + "<x",
        None,
        5,
        b"ann@example.com",
    ],
)
def test_anything_but_one_usable_address_is_refused(nonsense: Any):
    with pytest.raises(InvalidMessage) as caught:
        Address.parse(nonsense, "to")
    assert caught.value.field == "to"


@pytest.mark.parametrize(
    ("text", "local"),
    [
        *((f"ann@app.{name}", True) for name in ("test", "localhost", "local", "LOCAL")),
        *((f"ann@{name}.com", False) for name in ("test", "localhost", "local")),
        ("ann@app.example", False),
    ],
)
def test_an_address_says_whether_it_exists_at_home_only(text: str, local: bool):
    assert Address.parse(text).is_local is local


@pytest.mark.parametrize(
    ("name", "refuses"),
    [
        *((name, True) for name in ("noreply", "NoReply", "no-reply", "no_reply", "no.reply")),
        *((name, True) for name in ("donotreply", "do-not-reply", "do_not_reply")),
        *((name, True) for name in ("noreply+shop", "noreply-billing", "no-reply2")),
        *((name, False) for name in ("hello", "reply", "noreplyer", "mono-reply", "nora")),
    ],
)
def test_an_address_says_whether_nobody_reads_it(name: str, refuses: bool):
    assert Address.parse(f"{name}@example.com").is_noreply is refuses


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("ann+news@example.com", "ann@example.com"),
        ("ann+a+b@example.com", "ann@example.com"),
        ("ann.lee@example.com", "ann.lee@example.com"),
        ("+@example.com", "+@example.com"),
        ("A.n.n+x@gmail.com", "ann@gmail.com"),
        ("ann@googlemail.com", "ann@gmail.com"),
        ("ann.lee@mail.gmail.com", "ann.lee@mail.gmail.com"),
    ],
)
def test_an_address_counts_as_its_mailbox(address: str, counted: str):
    assert counted_as(address) == counted
