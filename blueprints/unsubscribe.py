"""The link in marketing emails. Looking at it changes nothing; a POST acts at once (RFC 8058)."""

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue

import outbox
import subscribers
from database import db
from extensions import csrf, email, limiter
from log_setup import mask
from outbox import suppression

blueprint = Blueprint("unsubscribe", __name__)
csrf.exempt(blueprint)  # a mail client posts without a form of ours

# The address of the page is a key: it must not travel on to other sites, nor be kept.
HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


@blueprint.get("/unsubscribe/<token>")
def ask(token: str) -> ResponseReturnValue:
    """The page with the button. Mail scanners open every link, so it only asks."""
    return _page(_address(token), done=False)


@blueprint.post("/unsubscribe/<token>")
@limiter.exempt  # the mail providers' servers post for many people
def act(token: str) -> ResponseReturnValue:
    """Stop marketing emails; from the page's button or straight from a mail client's.

    No cookie and no form token is asked for, because a mail client has neither. Twice is fine.
    """
    address = _address(token)
    new = suppression.suppress(
        db.session(),
        address,
        "marketing",
        reason=suppression.Reason.UNSUBSCRIBED,
        source="unsubscribe link",
    )
    outbox.actions.cancel_marketing(
        db.session(), address, by=f"because {mask(address)} unsubscribed"
    )
    if new:
        with subscribers.if_supported:
            subscribers.unsubscribe(address)
    db.session.commit()
    return _page(address, done=True)


def _address(token: str) -> str:
    return email.unsubscribe_links.address_of(token) or abort(404, "this link is not one of ours")


def _page(address: str, *, done: bool) -> ResponseReturnValue:
    page = render_template("pages/unsubscribe.html", address=mask(address), done=done)
    return page, 200, HEADERS
