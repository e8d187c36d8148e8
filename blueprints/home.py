"""The first page: in debug what to try, else a plain landing page."""

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from blueprints.security import is_local

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """The front door."""
    if not (current_app.debug and is_local()):
        return render_template("pages/landing.html")
    return render_template(
        "pages/home.html",
        provider=", ".join(current_app.config["EMAIL_PROVIDER"]),
        delivery=current_app.config["EMAIL_DELIVERY"],
    )
