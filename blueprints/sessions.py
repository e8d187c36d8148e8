"""Who is logged in, and views that ask for it.

A session ends when its user logs out anywhere, with a change of the password, after two weeks in
which it was not used, and after three months.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from flask import abort, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.local import LocalProxy

from blueprints.log_ins import remember_device
from blueprints.reset_tokens import has_password, password_fingerprint
from blueprints.security import is_local
from database import db
from extensions import email
from models import User

P = ParamSpec("P")

IDLE, LONGEST = 14 * 86400, 90 * 86400  # seconds
NOTED = 3600  # seconds between two notes in the cookie that a session is used


def log_in(user: User) -> None:
    """Begin a session of `user`; whatever the session held before is gone."""
    session.clear()
    moment = int(time.time())
    session["user"] = {
        "id": user.id,
        "password": password_fingerprint(user),
        "epoch": user.session_epoch,
        "since": moment,
        "seen": moment,
    }
    remember_device(user.email)


def log_out() -> User | None:
    """End every session of whoever is logged in, copies of its cookie too; who that was."""
    user = current_user()
    if user:
        ended = update(User).where(User.id == user.id)
        db.session.execute(ended.values(session_epoch=User.session_epoch + 1))
        db.session.commit()
    session.clear()
    g.user = None
    return user


def current_user() -> User | None:
    """Who is logged in."""
    if "user" not in g:
        g.user = _user_of_session()
    user: User | None = g.user
    return user


def login_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Let only users who are logged in reach a view, which finds them as `current_user()`.

    Others are led to the log-in, and from there to the page; below `/api/` they get a JSON 401.

        @blueprint.get("/projects")
        @login_required
        def projects() -> ResponseReturnValue:
            return render_template("pages/projects.html", owner=current_user())

    A view that changes something takes a POST, whose form holds `{{ csrf_token() }}`; scripts send
    it as `X-CSRFToken`.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if current_user() is not None:
            return view(*args, **kwargs)
        if request.path.startswith("/api/"):
            abort(401, "log in first")
        return redirect(url_for("accounts.login", next=request.full_path.removesuffix("?")))

    return guarded


def page_context() -> dict[str, Any]:
    """What every page may show. Only a page that asks for the user reads the session.

    Emails and `/api/*` pass here too, and must not: `Vary: Cookie` would tell who has an account.
    """
    shows_debug_pages = current_app.debug and is_local()
    return {
        "current_user": LocalProxy(_shown_user),
        "debug_pages": shows_debug_pages,
        "restriction": email.restriction if shows_debug_pages else "",
    }


def _shown_user() -> User | None:
    try:
        return current_user()
    except SQLAlchemyError:  # pages, and above all the one that reports it, are shown all the same
        g.user = None
        return None


def _user_of_session() -> User | None:
    stored, moment = session.get("user"), time.time()
    if not isinstance(stored, dict):
        return None
    if moment - stored["seen"] > IDLE or moment - stored["since"] > LONGEST:
        return None
    user = db.session.get(User, stored["id"])
    if not user or user.session_epoch != stored["epoch"]:
        return None
    if not has_password(user, stored["password"]):
        return None
    if moment - stored["seen"] > NOTED:
        session["user"] = stored | {"seen": int(moment)}
    return user
