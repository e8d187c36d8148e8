"""What somebody wants: from the variables of `make init`, or asked in a terminal."""

import re
import sys
from collections.abc import Mapping

from attrs import frozen

from errors import InvalidMessage
from message import Address
from tools.init.colours import accents
from tools.init.offer import Offer
from tools.init.product import check_name, default_sender

USAGE = """make init NAME="Acme" makes this clone a product of its own. You may also give:
  FROM="Acme <hello@acme.com>"   who emails come from
  COLOUR="#0b6e4f"               the colour of pages and emails
  DROP="stripe docs"             what to leave out, or DROP=all
  KEEP="contact celery"          or what to keep; all else that is offered goes
What is offered:"""


class Unanswered(Exception):
    """Something cannot be done as it was asked for; the text says what to give."""


@frozen(kw_only=True)
class Answers:
    """`sender` and `colour` are None to leave them as they are."""

    name: str
    sender: str | None
    colour: str | None
    drop: tuple[str, ...]


def answers(
    given: Mapping[str, str], offers: Mapping[str, Offer], known: str = "", *, ask: bool
) -> Answers:
    """The answers in `given`, and with `ask` those of the person there. Raises `Unanswered`.

    `known` is the name that an earlier run has set.
    """
    name = given.get("NAME") or known or (_ask("Name of your product") if ask else "")
    if not name:
        raise Unanswered(usage(offers))
    sender = given.get("FROM") or (None if known == name else default_sender(name))
    colour = given.get("COLOUR")
    try:
        check_name(name)
        if sender:
            Address.parse(sender, "FROM")
        if colour:
            accents(colour)
    except (ValueError, InvalidMessage) as error:
        raise Unanswered(str(error)) from None
    return Answers(name=name, sender=sender, colour=colour, drop=_drop(given, offers, ask=ask))


def usage(offers: Mapping[str, Offer]) -> str:
    """What `make init` takes."""
    return "\n".join([USAGE, *(f"  {offer.name:<16}{offer.what}" for offer in offers.values())])


def _drop(given: Mapping[str, str], offers: Mapping[str, Offer], *, ask: bool) -> tuple[str, ...]:
    keep, drop = (_names(given.get(each, ""), offers) for each in ("KEEP", "DROP"))
    if keep is not None and drop is not None:
        raise Unanswered("give either KEEP or DROP")
    if keep is not None:
        drop = [name for name in offers if name not in keep]
    if drop is None:
        drop = [name for name, offer in offers.items() if ask and _wants_to_drop(offer)]
    with_these = [other for name in drop for other in offers[name].takes]
    if keep is not None and (torn := [name for name in with_these if name in keep]):
        raise Unanswered(f"{' and '.join(torn)} cannot be kept without what KEEP leaves out")
    return tuple(name for name in offers if name in {*drop, *with_these})


def _names(text: str, offers: Mapping[str, Offer]) -> list[str] | None:
    """The offers that `text` names; None if it is empty."""
    names = [name for name in re.split(r"[\s,]+", text) if name]
    if names == ["all"]:
        return list(offers)
    if names == ["none"]:
        return []
    unknown = [name for name in names if name not in offers]
    if unknown:
        raise Unanswered(f"nothing that is offered is called {', '.join(unknown)}\n{usage(offers)}")
    return names or None


def _wants_to_drop(offer: Offer) -> bool:
    return _ask(f"Keep {offer.what}? [Y/n]").lower().startswith("n")


def _ask(question: str) -> str:
    sys.stdout.write(f"{question}: ")
    sys.stdout.flush()
    return sys.stdin.readline().strip()
