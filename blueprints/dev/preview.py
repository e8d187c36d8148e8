"""The gallery of emails, from their own samples. Registered in debug only."""

from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from background import send_in_background
from blueprints.dev import live_reload, preview_page
from blueprints.dev.mail_html import in_scheme, mail_html
from blueprints.forms import SendSampleForm, text
from blueprints.limits import form_limit
from database import db
from emails import Email, all_emails
from extensions import email as email_service
from message import EmailMessage, to_mime

blueprint = Blueprint("preview", __name__)
form_limit(blueprint)

SENT = Markup('On its way to {} by {}. <a href="{}">See what becomes of it in the inbox</a>.')


@blueprint.get("/preview")
def gallery() -> ResponseReturnValue:
    """Every email with its samples. The query chooses one, and how to look at it."""
    email = _email(request.args.get("email") or next(iter(all_emails()), ""))
    return preview_page.render(email, _sample(email), SendSampleForm())


@blueprint.get("/preview.json")
def version() -> ResponseReturnValue:
    """For the page that reloads when a template or a module was saved."""
    return jsonify(version=live_reload.version())


@blueprint.get("/preview/<name>")
def html(name: str) -> ResponseReturnValue:
    """The HTML part alone, as it is sent; `?scheme=dark` as readers in the dark see it."""
    return mail_html(in_scheme(_compose(name).html, request.args.get("scheme", "")))


@blueprint.get("/preview/<name>.txt")
def plain(name: str) -> ResponseReturnValue:
    """The text part alone."""
    return Response(_compose(name).text, mimetype="text/plain")


@blueprint.get("/preview/<name>.eml")
def eml(name: str) -> ResponseReturnValue:
    """The whole email as a file for a mail program."""
    content = to_mime(email_service.complete(_compose(name))).as_bytes()
    disposition = {"Content-Disposition": f'attachment; filename="{name}.eml"'}
    return Response(content, mimetype="message/rfc822", headers=disposition)


@blueprint.post("/preview/<name>")
def send(name: str) -> ResponseReturnValue:
    """Send a sample to the address that was typed, through the provider and the outbox."""
    email = _email(name)
    sample = _sample(email)
    form = SendSampleForm.from_page()
    if not form.validate_on_submit():
        return preview_page.render(email, sample, form), 400
    address = text(form.email)
    # Composed for its reader: what names the recipient, such as an unsubscribe link, is theirs.
    row = send_in_background(email.compose(**{**email.samples[sample], "to": address}))
    db.session.commit()
    provider = ", ".join(email_service.chain)
    flash(SENT.format(address, provider, url_for("inbox.show", email_id=row.id)), "success")
    look: dict[str, Any] = {choice: request.args.get(choice) for choice in preview_page.CHOICES}
    return redirect(url_for("preview.gallery", email=name, sample=sample, **look))


def _compose(name: str) -> EmailMessage:
    email = _email(name)
    return email.compose(**email.samples[_sample(email)])


def _email(name: str) -> Email:
    # Looked up in the list of emails, never as a path.
    return all_emails().get(name) or abort(404)


def _sample(email: Email) -> str:
    sample = request.args.get("sample") or next(iter(email.samples), "")
    return sample if sample in email.samples else abort(404)
