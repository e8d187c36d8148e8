"""The arguments of `python -m tools.simulator`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tools.simulator.webhook_secrets import (
    RESEND_SECRET,
    SENDGRID_KEY,
    SEQUENZY_SECRET,
    read_private_key,
    read_secrets,
    read_svix_secrets,
)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m tools.simulator",
        description="A local stand-in for the APIs of Sequenzy, Resend and SendGrid.",
    )
    add = made.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8025, help="0 picks a free one (default: %(default)s)")
    add(
        "--log",
        type=Path,
        default=Path("instance/simulator.jsonl"),
        metavar="FILE",
        help="what was accepted, a line an email (default: %(default)s)",
    )
    add("--ignore-keys", dest="keys", action="store_false", help="repeat what has a known key")
    add("--no-fsync", dest="fsync", action="store_false", help="answer before the disk has it")
    add("--fault-500", type=_share, default=0.0, metavar="SHARE", help="refused with 500, 0 to 1")
    add("--fault-429", type=_share, default=0.0, metavar="SHARE", help="refused with 429")
    add("--fault-drop", type=_share, default=0.0, metavar="SHARE", help="accepted, no answer")
    add("--latency-ms", type=int, default=0, metavar="N", help="added to every answer")
    add("--rates", action="store_true", help="refuse with 429 what is beyond the vendor's rate")
    add("--seed", type=int, default=0, help="of all chance (default: %(default)s)")
    _add_webhooks(made)
    return made


def _add_webhooks(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("webhooks").add_argument
    add(
        "--webhooks",
        type=_url,
        metavar="URL",
        help="report what becomes of each email to URL/resend, URL/sendgrid and URL/sequenzy",
    )
    add("--webhook-duplicates", type=_share, default=0.0, metavar="SHARE", help="sent twice")
    add("--webhook-reorder", action="store_true", help="in random order")
    add(
        "--webhook-hurry",
        type=_positive(float),
        default=1.0,
        metavar="FACTOR",
        help="divides the waits between tries",
    )
    add("--webhook-threads", type=_positive(int), default=1, metavar="N", help="at a time to each")
    add(
        "--resend-webhook-secret",
        type=_checked(read_svix_secrets),
        default=(RESEND_SECRET,),
        metavar="SECRET",
        help="several with commas",
    )
    add(
        "--sequenzy-webhook-secret",
        type=_checked(read_secrets),
        default=(SEQUENZY_SECRET,),
        metavar="SECRET",
        help="several with commas",
    )
    add(
        "--sendgrid-webhook-key",
        type=_checked(read_private_key),
        default=SENDGRID_KEY,
        metavar="FILE",
        help="a P-256 private key in PEM",
    )
    add(
        "--show-webhook-secrets",
        action="store_true",
        help="print what the app must be given, as lines for its .env, and end",
    )


def _share(value: str) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 1")
    return share


def _positive(kind: type[float]) -> Callable[[str], float]:
    def read(value: str) -> float:
        number = kind(value)
        if number <= 0:
            raise argparse.ArgumentTypeError(f"{value} is not above 0")
        return number

    return read


def _url(value: str) -> str:
    address = urlsplit(value)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise argparse.ArgumentTypeError(f"{value} is no http address")
    return value.rstrip("/")


def _checked(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """`read` with its own words in the refusal of the option."""

    def checked(value: str) -> Any:
        try:
            return read(value)
        except (OSError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked
