"""From a name and data to an `EmailMessage`, and the list of emails that the gallery shows.

Knows no single email, no settings but the app's name, and no database.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from attrs import fields_dict, frozen
from flask import current_app, render_template

from message import AddressLike, EmailMessage

MAX_SUBJECT = 60  # what most inboxes show; a longer one is cut, since a name can have any length

Sample = Mapping[str, Any]
_Function = TypeVar("_Function", bound=Callable[..., EmailMessage])

_SET_HERE = {"id", "to", "subject", "html", "text", "kind", "tags"}
_PASSED_ON = fields_dict(EmailMessage).keys() - _SET_HERE


@frozen
class Email:
    """One kind of email: its name, the function that composes it, and data to look at it with."""

    name: str
    compose: Callable[..., EmailMessage]
    samples: Mapping[str, Sample]


_emails: dict[str, Email] = {}


def email(name: str, *, samples: Mapping[str, Sample]) -> Callable[[_Function], _Function]:
    """Make a function known as the email `name`; each sample is a full set of its arguments.

    Raises `ValueError` if two functions claim one name.
    """

    def register(function: _Function) -> _Function:
        if name in _emails:
            raise ValueError(f"two emails are named {name!r}: give one of them another name")
        _emails[name] = Email(name, function, samples)
        return function

    return register


def all_emails() -> dict[str, Email]:
    """Every email by name; `emails/__init__.py` imports them all."""
    return dict(_emails)


def compose(
    name: str, /, *, to: AddressLike | Iterable[AddressLike], subject: str, **context: Any
) -> EmailMessage:
    """Render `templates/emails/<name>.html` and `.txt` with `context`; needs an app context.

    Templates also get `subject`, and `recipient`: the bare address of who reads this copy.
    Fields of `EmailMessage` in `context` (`reply_to`, `expires_at`, `category`…) go to the
    message instead of the templates. Raises `InvalidMessage`, `ValueError` for a marketing email
    to several people, and what Jinja raises.
    """
    fields = {key: context.pop(key) for key in _PASSED_ON & context.keys()}
    # The bodies come last: they show what was checked here.
    message = EmailMessage(
        to=to, subject=_fit(subject), text=name, kind=name, tags=(name,), **fields
    )
    if message.category == "marketing" and len(message.recipients) > 1:
        raise ValueError(
            f"{name} is marketing and goes to {len(message.recipients)} addresses: compose one "
            "for each, because each carries its reader's own unsubscribe link"
        )
    context |= {"subject": message.subject, "recipient": message.to[0].email}
    return message.with_bodies(
        html=render_template(f"emails/{name}.html", **context),
        text=render_template(f"emails/{name}.txt", **context),
    )


def app_name() -> str:
    """The name of the app, for subjects; templates have `brand.name`."""
    return str(current_app.config["APP_NAME"])


def _fit(subject: str) -> str:
    if len(subject) <= MAX_SUBJECT:
        return subject
    return subject[: MAX_SUBJECT - 1].rstrip() + "…"
