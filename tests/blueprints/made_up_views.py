"""Pages and JSON as somebody adds them who builds a product on this template."""

from flask import Blueprint, jsonify, render_template_string
from flask.typing import ResponseReturnValue

from blueprints.sessions import current_user, login_required

blueprint = Blueprint("made_up", __name__)


@blueprint.get("/made-up")
@login_required
def index() -> ResponseReturnValue:
    user = current_user()
    return render_template_string("Made up for {{ name }}", name=user and user.name)


@blueprint.post("/made-up")
@login_required
def create() -> ResponseReturnValue:
    return "Created", 201


@blueprint.route("/api/made-up/<int:number>", methods=["GET", "POST"])
@login_required
def project(number: int) -> ResponseReturnValue:
    return jsonify(number=number)
