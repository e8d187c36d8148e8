"""The contact form: the message goes to CONTACT_EMAIL, the visitor stands in Reply-To."""

import logging

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

import emails
from background import send_in_background
from blueprints.forms import ContactForm, text
from blueprints.limits import form_limit
from database import db, why_unavailable

blueprint = Blueprint("contact", __name__)
form_limit(blueprint)
logger = logging.getLogger(__name__)


@blueprint.route("/contact", methods=["GET", "POST"])
def contact() -> ResponseReturnValue:
    """Show the form, or send it and redirect, so that a reload sends nothing again."""
    form = ContactForm.from_page()
    if request.method == "GET":
        return render_template("pages/contact.html", form=form)
    if not form.validate():
        flash("All fields are required." if form.missing() else "Please check the form.", "error")
        return render_template("pages/contact.html", form=form), 400
    if text(form.website):
        logger.info("contact_honeypot: a program filled the hidden field; nothing was sent")
    elif not _send(form):
        flash("Something went wrong. Please try again.", "error")
        return render_template("pages/contact.html", form=form), 503
    flash("Message sent! We'll get back to you soon.", "success")
    return redirect(url_for("contact.contact"))


def _send(form: ContactForm) -> bool:
    message = emails.contact_notice(
        to=current_app.config["CONTACT_EMAIL"],
        name=text(form.name),
        email=text(form.email),
        message=text(form.message),
    )
    try:
        # No limit of recipients: `form_limit` has told whoever sends too many, and what is taken
        # here is delivered, whatever others wrote in the same name.
        send_in_background(message)
        db.session.commit()
    except SQLAlchemyError as error:
        reason = why_unavailable(error)
        if reason is None:
            raise
        logger.error("contact: the message could not be stored (%s)", reason)
        db.session.rollback()
        return False
    return True
