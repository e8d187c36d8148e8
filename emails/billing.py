"""Emails about money: the receipt, and the payment that failed. Amounts are in minor units."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from babel.dates import format_date

from emails.compose import app_name, compose, email
from emails.money import LOCALE, format_money
from emails.samples import HOSTILE, LONG_WORD, RIGHT_TO_LEFT, TO
from message import AddressLike, EmailMessage

CHARGE = {"to": TO, "amount": 2900, "currency": "usd"}
PAID = CHARGE | {"plan": "Pro", "date": date(2026, 3, 14)}
INVOICE_URL = "https://invoice.example.com/i/acct_1/live_YWNjdF8x"


@email(
    "receipt",
    samples={
        "normal": PAID,
        "every part": PAID
        | {
            "amount": 3451,
            "invoice_url": INVOICE_URL,
            "number": "R-2026-0314",
            "card": "Visa ending in 4242",
            "tax": 551,
            "line_items": [("Pro, March 2026", 2400), ("1 extra seat", 500)],
        },
        "yen": PAID | {"amount": 1000, "currency": "jpy"},
        "many rows": PAID
        | {"amount": 40 * 100, "line_items": [(f"Seat {n} of 40", 100) for n in range(1, 41)]},
        "long names": PAID
        | {
            "plan": LONG_WORD,
            "card": f"A card with the name {LONG_WORD}",
            "line_items": [(LONG_WORD, 2400), ("A seat for one more person " * 4, 500)],
        },
        "right to left": PAID | {"plan": RIGHT_TO_LEFT, "line_items": [(RIGHT_TO_LEFT, 2900)]},
        "hostile markup": PAID
        | {"plan": HOSTILE, "number": HOSTILE, "card": HOSTILE, "line_items": [(HOSTILE, 2900)]},
    },
)
def receipt(
    *,
    to: AddressLike,
    amount: int,
    currency: str,
    plan: str,
    invoice_url: str | None = None,
    date: date | None = None,
    intent_key: str | None = None,
    number: str | None = None,
    card: str | None = None,
    tax: int | None = None,
    line_items: Sequence[tuple[str, int]] = (),
) -> EmailMessage:
    """What was paid, for what, and when (today in UTC if not given).

    `amount` is the total with tax; `line_items` are pairs of a description and an amount.
    """
    total = format_money(amount, currency)
    return compose(
        "receipt",
        to=to,
        subject=f"Receipt for {total} from {app_name()}",
        total=total,
        plan=plan,
        day=_day(date or datetime.now(UTC)),
        number=number,
        card=card,
        tax=None if tax is None else format_money(tax, currency),
        items=[(text, format_money(price, currency)) for text, price in line_items],
        invoice_url=invoice_url,
        intent_key=intent_key,
    )


@email(
    "payment-failed",
    samples={
        "normal": CHARGE,
        "next attempt": CHARGE | {"next_attempt": datetime(2026, 3, 17, 9, tzinfo=UTC)},
        "nothing known": {"to": TO},
    },
)
def payment_failed(
    *,
    to: AddressLike,
    amount: int | None = None,
    currency: str | None = None,
    billing_url: str | None = None,
    next_attempt: datetime | None = None,
    intent_key: str | None = None,
) -> EmailMessage:
    """A charge did not go through; where to fix it, and when it is tried again if that is known."""
    return compose(
        "payment-failed",
        to=to,
        subject=f"Your payment to {app_name()} did not go through",
        amount=None if amount is None or currency is None else format_money(amount, currency),
        billing_url=billing_url,
        next_attempt=None if next_attempt is None else _day(next_attempt),
        intent_key=intent_key,
    )


def _day(moment: date) -> str:
    if isinstance(moment, datetime):
        moment = moment.astimezone(UTC)
    return format_date(moment, "long", locale=LOCALE)
