"""Amounts in Stripe's minor units, as people read them."""

import pytest

from emails.money import format_money


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (2900, "USD", "$29.00"),
        (2900, "usd", "$29.00"),
        (123456789, "eur", "€1,234,567.89"),
        (1, "GBP", "£0.01"),
        (0, "USD", "$0.00"),
        (-500, "USD", "-$5.00"),
        (1000, "JPY", "¥1,000"),
        (5000, "KRW", "₩5,000"),
        (5000, "CLP", "CLP 5,000"),
        (500, "ISK", "ISK 5"),
        (500, "UGX", "UGX 5"),
        (1500, "KWD", "KWD 1.500"),
        (12345, "TND", "TND 12.345"),
        (10000, "HUF", "HUF 100.00"),
        (10000, "TWD", "NT$100.00"),
        (12345, "ALL", "ALL 123.45"),
        (12345, "XYZ", "XYZ 123.45"),
        (9007199254740993, "USD", "$90,071,992,547,409.93"),
    ],
)
def test_an_amount_is_shown_in_the_way_of_its_currency(amount, currency, shown):
    assert format_money(amount, currency).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_a_code_stays_on_the_line_of_its_number():
    assert format_money(1500, "KWD") == "KWD\N{NO-BREAK SPACE}1.500"
