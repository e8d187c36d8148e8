"""Who is logged in, and views that ask for it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from flask import abort, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.local import LocalProxy

from blueprints.reset_tokens import has_password, password_fingerprint
from blueprints.security import is_local
from database import db
from extensions import email
from models import User

P = ParamSpec("P")


def log_in(user: User) -> None:
    """Begin a session of `user`; whatever the session held before is gone."""
    session.clear()
    session["user"] = [user.id, password_fingerprint(user)]


def current_user() -> User | None:
    """Who is logged in; a changed password ends every session."""
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
    stored = session.get("user")
    if not stored:
        return None
    user_id, fingerprint = stored
    user = db.session.get(User, user_id)
    return user if user and has_password(user, fingerprint) else None
