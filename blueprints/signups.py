"""Sign-up: an account arises when the emailed link has confirmed whose address it is."""

from datetime import UTC, datetime, timedelta

from flask import flash, jsonify, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import delete

import emails
import subscribers
from background import ask_in_background, send_in_background
from blueprints.accounts import blueprint
from blueprints.api import blueprint as api
from blueprints.confirm_tokens import read_token
from blueprints.forms import ResetPasswordForm, SignupForm, SignupPageForm, text
from blueprints.limits import count_sign_up, form_limit
from blueprints.passwords import hash_password
from blueprints.sessions import log_in
from database import changed_rows, db, insert_if_new, utc_now
from message import new_id
from models import Signup, User

SIGNED_UP = "We sent you an email: its link confirms your address and opens your account."
CONFIRMED = "Your address is confirmed. Welcome!"
HAS_ACCOUNT = "This address has an account already: log in."
ONBOARDING_AFTER = timedelta(days=3)


@api.post("/signup", endpoint="signup")
@form_limit
def api_signup() -> ResponseReturnValue:
    """201 for every well-formed request, whether or not the address has an account."""
    _sign_up(SignupForm.from_json(), None)
    return jsonify(message="Account created"), 201


@blueprint.route("/signup", methods=["GET", "POST"])
def signup() -> ResponseReturnValue:
    """The sign-up page. Its browser is known again when the link is opened in it."""
    form = SignupPageForm.from_page()
    if form.validate_on_submit():
        # Hashing takes long on purpose: it happens before the database is asked to wait for us.
        session["signup"] = _sign_up(form, hash_password(text(form.password)))
        flash(SIGNED_UP, "success")
        return redirect(url_for("accounts.login"))
    return render_template("pages/signup.html", form=form), 400 if form.errors else 200


@blueprint.route("/confirm/<token>", methods=["GET", "POST"])
def confirm(token: str) -> ResponseReturnValue:
    """The page behind the emailed link. Looking at it changes nothing; the POST works once.

    Mail scanners open every link and run its scripts, so only in the browser that signed up the
    page posts by itself. Anywhere else it asks for a password: whoever typed that of the sign-up
    need not be the owner of the address.
    """
    # `no-referrer` would hide the page from the CSRF check over https.
    headers = {"Referrer-Policy": "same-origin", "Cache-Control": "no-store"}
    asked = read_token(token)
    if asked is None:
        return render_template("pages/confirm-invalid.html"), 400, headers
    form = ResetPasswordForm.from_page()
    form.owner = (asked.email, asked.name)
    in_its_browser = session.get("signup") == asked.id
    if in_its_browser:
        del form.password
    if form.validate_on_submit():
        db.session.close()  # hashing takes long, and nobody waits for our connection
        password_hash = asked.password_hash
        if not in_its_browser:
            password_hash = hash_password(text(form.password))
        return _enter(_open_account(asked, password_hash))
    page = render_template("pages/confirm.html", form=form, email=asked.email)
    return page, 400 if form.errors else 200, headers


def _sign_up(form: SignupForm, password_hash: str | None) -> str:
    """Store the sign-up, and have the owner of the address written to; its id."""
    signup_id, address = new_id(), text(form.email).lower()
    count_sign_up(address)
    row = {"id": signup_id, "email": address, "name": text(form.name)}
    db.session.add(Signup(**row, password_hash=password_hash))
    ask_in_background("sign-up", address, signup=signup_id)
    db.session.commit()
    return signup_id


def _enter(user: User | None) -> ResponseReturnValue:
    if user is None:
        flash(HAS_ACCOUNT, "success")
        return redirect(url_for("accounts.login"))
    log_in(user)
    flash(CONFIRMED, "success")
    return redirect(url_for("accounts.account"))


def _open_account(asked: Signup, password_hash: str | None) -> User | None:
    """The account of a confirmed address; None if it has one. Two requests cannot race."""
    row = {
        "id": new_id(),
        "email": asked.email,
        "name": asked.name,
        "password_hash": password_hash,
        "created_at": utc_now(),
    }
    new = insert_if_new(db.session(), User, row)
    waited = changed_rows(db.session(), delete(Signup).where(Signup.email == asked.email))
    if new and waited:
        _begin_marketing(asked)
        db.session.commit()
        return db.session.get_one(User, row["id"])
    if new:
        db.session.rollback()  # the person was forgotten this moment
    db.session.commit()
    return None


def _begin_marketing(asked: Signup) -> None:
    """The new account joins the subscribers, and hears from us once more in three days."""
    with subscribers.if_supported:
        name = emails.greeting_name(asked.name)
        subscribers.subscribe(asked.email, first_name=name, tags=["signed-up"])
    send_at = datetime.now(UTC) + ONBOARDING_AFTER
    send_in_background(emails.onboarding_day_3(to=asked.email, name=asked.name, send_at=send_at))
