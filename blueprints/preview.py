"""The gallery of emails, from their own samples. Registered in debug only."""

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from blueprints.mail_html import mail_html
from emails.compose import Email, all_emails
from message import EmailMessage

blueprint = Blueprint("preview", __name__, url_prefix="/preview")


@blueprint.get("")
def gallery() -> ResponseReturnValue:
    """Every email with its samples; `?email=` and `?sample=` choose one."""
    found = all_emails()
    current = _email(request.args.get("email") or next(iter(found)))
    sample = _sample(current)
    return render_template(
        "pages/preview.html",
        emails=[_entry(each) for each in found.values()],
        current=_entry(current),
        sample=sample,
        message=current.compose(**current.samples[sample]),
    )


@blueprint.get("/<name>.txt")
def text(name: str) -> ResponseReturnValue:
    """The text part alone."""
    return Response(_compose(name).text, mimetype="text/plain")


@blueprint.get("/<name>")
def html(name: str) -> ResponseReturnValue:
    """The HTML part alone, as it is sent."""
    return mail_html(_compose(name).html)


def _compose(name: str) -> EmailMessage:
    email = _email(name)
    return email.compose(**email.samples[_sample(email)])


def _email(name: str) -> Email:
    # Looked up in the list of emails, never as a path.
    return all_emails().get(name) or abort(404)


def _sample(email: Email) -> str:
    sample = request.args.get("sample") or next(iter(email.samples))
    return sample if sample in email.samples else abort(404)


def _entry(email: Email) -> dict[str, object]:
    return {
        "name": email.name,
        "title": email.name.replace("-", " ").capitalize(),
        "samples": list(email.samples),
        "url": url_for("preview.gallery", email=email.name),
    }
