"""Log-in and password reset, as pages and as JSON. No answer tells who has an account."""

from typing import Any

from flask import (
    Blueprint,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from sqlalchemy import update

from background import ask_in_background
from blueprints.api import blueprint as api
from blueprints.forms import ForgotPasswordForm, LoginForm, ResetPasswordForm, text
from blueprints.limits import form_limit
from blueprints.log_ins import authenticate, note, remember_device
from blueprints.passwords import hash_password
from blueprints.reset_tokens import read_token
from blueprints.sessions import log_in, log_out, login_required
from database import changed_rows, db
from models import User

blueprint = Blueprint("accounts", __name__)
form_limit(blueprint)

RESET_SENT = "If this address has signed up, a link is on its way to it."


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """The log-in page; afterwards to `next`, if that is a path of ours."""
    form = LoginForm.from_page()
    if form.validate_on_submit():
        user = authenticate(text(form.email), text(form.password))
        if user:
            log_in(user)
            return redirect(_local_path(request.args.get("next")))
        flash("Email or password is wrong.", "error")
    return _page("login", form)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session, and those of the same user everywhere else."""
    if user := log_out():
        note("logged_out", user.email)
    flash("You are logged out, on all your devices.", "success")
    return redirect(url_for("home.index"))


@blueprint.get("/account")
@login_required
def account() -> ResponseReturnValue:
    """The page behind the log-in."""
    return render_template("pages/account.html"), 200, {"Cache-Control": "no-store"}


@api.post("/password-reset", endpoint="password_reset")
@form_limit
def api_password_reset() -> ResponseReturnValue:
    """202 for every well-formed address, known or not."""
    form = ForgotPasswordForm.from_json()
    _ask_for_reset(text(form.email))
    return jsonify(message=RESET_SENT), 202


@blueprint.route("/forgot-password", methods=["GET", "POST"])
def forgot_password() -> ResponseReturnValue:
    """Ask for a reset link."""
    form = ForgotPasswordForm.from_page()
    if form.validate_on_submit():
        _ask_for_reset(text(form.email))
        flash(RESET_SENT, "success")
        return redirect(url_for("accounts.login"))
    return _page("forgot-password", form)


@blueprint.route("/reset-password", methods=["GET", "POST"])
def reset_password() -> ResponseReturnValue:
    """The page behind the emailed link. Looking at it uses nothing up; the POST works once."""
    # `no-referrer` would hide the page from the CSRF check over https.
    headers = {"Referrer-Policy": "same-origin", "Cache-Control": "no-store"}
    user = read_token(request.args.get("token", ""))
    if user is None:
        return render_template("pages/reset-invalid.html"), 400, headers
    form = ResetPasswordForm.from_page()
    form.owner = (user.email, user.name)
    if form.validate_on_submit():
        if not _replace_password(user, text(form.password)):
            return render_template("pages/reset-invalid.html"), 400, headers
        flash("Your password is changed. Log in with the new one.", "success")
        return redirect(url_for("accounts.login"))
    page = render_template("pages/reset-password.html", form=form, email=user.email)
    return page, 400 if form.errors else 200, headers


def _page(name: str, form: Any) -> ResponseReturnValue:
    status = 400 if request.method == "POST" else 200
    return render_template(f"pages/{name}.html", form=form), status


def _ask_for_reset(address: str) -> None:
    note("reset_asked", address)
    ask_in_background("password-reset", address)
    db.session.commit()


def _replace_password(user: User, password: str) -> bool:
    """Set the password, unless another request has done so since the token was checked."""
    before, user_id, address = user.password_hash, user.id, user.email
    db.session.rollback()
    unchanged = (User.id == user_id, User.password_hash.is_not_distinct_from(before))
    new = {"password_hash": hash_password(password)}
    changed = changed_rows(db.session(), update(User).where(*unchanged).values(new))
    db.session.commit()
    if changed:
        note("password_changed", address)
        remember_device(address)  # its owner gets in again, however many strangers try
    return bool(changed)


def _local_path(target: str | None) -> str:
    # Browsers read "\" as "/" and drop control characters, so only plain paths pass.
    plain = target and target.isascii() and target.isprintable() and "\\" not in target
    if target and plain and target.startswith("/") and not target.startswith("//"):
        return target
    return url_for("accounts.account")
