"""A copy of this repository, the first steps of somebody who cloned it, and what must stay green.

`make test-init` takes all of STEPS in one copy, removes what is about the template alone, and runs
ruff, mypy and the whole suite there. A new step is one function that takes the copy's folder, named
in STEPS.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.processes import ROOT

Step = Callable[[Path], None]


def copy_repository(to: Path) -> None:
    """Copy what git knows of this repository, and what is new and not ignored, into `to`."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():  # a deleted file is listed until the deletion is committed
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    (to / ".venv").symlink_to(sys.prefix)


def run(copy: Path, *command: str) -> None:
    """Run a command of the copy's virtual environment there; its output is shown.

    Raises `CalledProcessError` when it fails.
    """
    settings = {"FLASK_DEBUG": "1", "FLASK_APP": "app"} if command[0] == "flask" else {}
    environment = {name: os.environ[name] for name in ("PATH", "HOME")} | settings
    program = copy / ".venv" / "bin" / command[0]
    subprocess.run([program, *command[1:]], cwd=copy, env=environment, check=True)


def write(copy: Path, path: str, text: str) -> None:
    """Write a new file of the copy."""
    (copy / path).parent.mkdir(parents=True, exist_ok=True)
    (copy / path).write_text(text, encoding="utf-8")


def change(copy: Path, path: str, before: str, after: str) -> None:
    """Put `after` in the place of `before`, a pattern that is found in the file just once."""
    text = (copy / path).read_text(encoding="utf-8")
    changed, count = re.subn(before, lambda _: after, text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{path} has {count} places like {before!r}; the step needs just one")
    (copy / path).write_text(changed, encoding="utf-8")


def add_root_module(copy: Path) -> None:
    write(copy, "projects.py", 'def slug(name):\n    return name.lower().replace(" ", "-")\n')


def add_package(copy: Path) -> None:
    write(
        copy,
        "billing_plans/__init__.py",
        'from billing_plans.plans import price\n\n__all__ = ["price"]\n',
    )
    write(copy, "billing_plans/plans.py", 'def price(plan):\n    return {"pro": 900}[plan]\n')


def add_setting(copy: Path) -> None:
    change(
        copy,
        "config.py",
        r"^SETTINGS = \(\n",
        'SETTINGS = (\n    Setting("PROJECTS_PER_USER", number(1, 1000), "10"),\n',
    )
    example = copy / ".env.example"
    example.write_text(
        example.read_text(encoding="utf-8")
        + "\n# How many projects one user may have.\n# PROJECTS_PER_USER=10\n",
        encoding="utf-8",
    )


MODEL = """

class Project(Base):
    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
"""


def add_model(copy: Path) -> None:
    imports = "from sqlalchemy import ForeignKey, String\n"
    change(copy, "models.py", r"^from sqlalchemy import String\n", imports)
    models = copy / "models.py"
    models.write_text(models.read_text(encoding="utf-8") + MODEL, encoding="utf-8")
    run(copy, "flask", "db", "upgrade")
    run(copy, "flask", "db", "migrate", "-m", "projects")
    (copy / "instance" / "app.db").unlink()


# Untyped and branchy, as a first view is; it asks the session who is there, also under /api/.
VIEWS = """from flask import Blueprint, current_app, flash, jsonify, render_template, request
from flask import session as browser_session

from blueprints.limits import form_limit
from extensions import db
from models import Project
from projects import slug

blueprint = Blueprint("projects", __name__)


@blueprint.route("/projects", methods=["GET", "POST"])
@form_limit
def index():
    user_id = browser_session.get("user_id")
    if request.method == "POST":
        name = request.form.get("name", "")
        if not user_id:
            flash("Log in first.")
        elif not name:
            flash("A name, please.")
        elif len(name) > 100:
            flash("A shorter name, please.")
        else:
            count = db.session.query(Project).filter_by(owner_id=user_id).count()
            if count >= current_app.config["PROJECTS_PER_USER"]:
                flash("You have enough projects.")
            elif name == "none" or name == "all":
                flash("Another name, please.")
            else:
                db.session.add(Project(owner_id=user_id, name=slug(name)))
                db.session.commit()
                flash("Added.")
    return render_template("pages/projects.html")


@blueprint.get("/api/projects")
def list_projects():
    user_id = browser_session.get("user_id")
    if not user_id:
        return jsonify(error="log in first"), 401
    else:
        projects = db.session.query(Project).filter_by(owner_id=user_id)
        return jsonify(projects=[project.name for project in projects])


@blueprint.post("/api/projects")
@form_limit
def create_project():
    user_id = browser_session.get("user_id")
    if not user_id:
        return jsonify(error="log in first"), 401
    project = Project(owner_id=user_id, name=slug(request.get_json()["name"]))
    db.session.add(project)
    db.session.commit()
    return jsonify(name=project.name), 201
"""
PAGE = """{% extends "pages/base.html" %}
{% block title %}Projects, {{ brand.name }}{% endblock %}
{% block content %}
<h1>Projects</h1>
<form method="post">
  <input type="hidden" name="csrf_token" value="{{ csrf_token() }}">
  <label for="name">Name</label>
  <input id="name" name="name" required>
  <button>Add</button>
</form>
{% endblock %}
"""


def add_views(copy: Path) -> None:
    """Needs the model, the setting and the root module of the steps before."""
    write(copy, "blueprints/projects.py", VIEWS)
    write(copy, "templates/pages/projects.html", PAGE)


def add_email(copy: Path) -> None:
    run(copy, "flask", "email", "new", "trial-ends")


def change_brand(copy: Path) -> None:
    change(copy, "config.py", r'"Your App"\)', '"Rocket & Söhne")')
    change(copy, "config.py", r"Your App <noreply@yourdomain\.com>", "Rocket <hi@rocket.dev>")
    change(copy, "config.py", r"Your Company, 1 Example Street, 12345 Example City", "Rocket, Mars")


def replace_documents(copy: Path) -> None:
    (copy / "README.md").write_text("# Rocket\n\nWe send rockets.\n", encoding="utf-8")
    (copy / "CHANGELOG.md").unlink()
    shutil.rmtree(copy / "docs")


def remove_template_tests(copy: Path) -> None:
    shutil.rmtree(copy / "tests" / "template")


STEPS: tuple[Step, ...] = (
    add_root_module,
    add_package,
    add_setting,
    add_model,
    add_views,
    add_email,
    change_brand,
    replace_documents,
    remove_template_tests,
)


def take(steps: Iterable[Step], copy: Path) -> None:
    """Copy the repository into the empty folder `copy` and take the steps there, in their order."""
    copy_repository(copy)
    for step in steps:
        step(copy)


def check(copy: Path) -> None:
    """Run there what `make test` runs. Raises `CalledProcessError` where it is red."""
    run(copy, "ruff", "check", ".")
    run(copy, "ruff", "format", "--check", ".")
    run(copy, "mypy")
    run(copy, "python", "-m", "pytest")


if __name__ == "__main__":
    with TemporaryDirectory(prefix="first-steps-") as folder:
        take(STEPS, Path(folder))
        check(Path(folder))
