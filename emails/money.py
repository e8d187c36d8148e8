"""Amounts as Stripe counts them (integers in the smallest unit), shown as people write them.

Divisors: Stripe's list of supported currencies (docs.stripe.com/currencies).
"""

from decimal import Decimal

from babel.numbers import format_currency, get_currency_symbol

LOCALE = "en_US"

ZERO_DECIMAL = frozenset({
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA",
    "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
})  # fmt: skip
SHOWN_WITHOUT_DECIMALS = frozenset({"ISK", "UGX"})  # yet charged in hundredths: 500 is 5
THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def format_money(amount: int, currency: str) -> str:
    """`2900, "usd"` as `$29.00`; `1000, "JPY"` as `¥1,000`. An unknown code has two decimals."""
    code = currency.upper()
    value = Decimal(amount).scaleb(-_digits_charged(code))
    digits = 0 if code in SHOWN_WITHOUT_DECIMALS else _digits_charged(code)
    # Babel's own digits differ from what Stripe charges (it would cut the cents of ALL or IQD).
    return format_currency(
        value, code, format=_pattern(code, digits), locale=LOCALE, currency_digits=False
    )


def _digits_charged(code: str) -> int:
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


def _pattern(code: str, digits: int) -> str:
    # A symbol that ends in a letter stands apart from the number: "KWD 1.500".
    apart = "\u00a0" if get_currency_symbol(code, locale=LOCALE)[-1:].isalpha() else ""
    return f"¤{apart}#,##0" + ("." + "0" * digits if digits else "")
