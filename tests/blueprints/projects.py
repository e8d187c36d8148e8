"""Pages and JSON as somebody adds them who builds a product on this template."""

from flask import Blueprint, jsonify, render_template_string
from flask.typing import ResponseReturnValue

from blueprints.sessions import current_user, login_required

blueprint = Blueprint("projects", __name__)


@blueprint.get("/projects")
@login_required
def index() -> ResponseReturnValue:
    user = current_user()
    return render_template_string("Projects of {{ name }}", name=user and user.name)


@blueprint.post("/projects")
@login_required
def create() -> ResponseReturnValue:
    return "Created", 201


@blueprint.route("/api/projects/<int:number>", methods=["GET", "POST"])
@login_required
def project(number: int) -> ResponseReturnValue:
    return jsonify(number=number)
