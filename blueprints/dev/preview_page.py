"""The page around one sample: what the gallery shows of it, and what it says if it cannot."""

import traceback
from pathlib import Path
from typing import Any

from flask import abort, current_app, render_template, request

from blueprints.dev import live_reload
from blueprints.dev.measurements import measure
from blueprints.dev.reader import Reader
from blueprints.forms import SendSampleForm
from emails import Email, all_emails
from extensions import email as email_service
from message import EmailMessage, to_mime

# What the query may say; the first is meant where it says nothing.
CHOICES = {
    "view": ("html", "text", "source", "headers"),
    "width": ("600", "375", "800"),
    "scheme": ("light", "dark"),
}


def render(email: Email, sample: str, form: SendSampleForm) -> str:
    """The page, as `view`, `width` and `scheme` of the query say; 404 for a wrong choice."""
    state = {name: _choice(name, allowed) for name, allowed in CHOICES.items()}
    try:
        shown = _shown(email.compose(**email.samples[sample]))
    except Exception as error:  # whatever a template or function that is being written raises
        shown = {"error": f"{type(error).__name__}: {error}", "place": _place(error)}
    return render_template(
        "pages/preview.html",
        emails=list(all_emails().values()),
        current=email,
        state={"email": email.name, "sample": sample, **state},
        form=form,
        version=live_reload.version(),
        **shown,
    )


def _choice(name: str, allowed: tuple[str, ...]) -> str:
    value = request.args.get(name) or allowed[0]
    return value if value in allowed else abort(404)


def _shown(message: EmailMessage) -> dict[str, Any]:
    message = email_service.complete(message)
    return {
        "error": "",
        "message": message,
        "preheader": Reader(message.html).preheader,
        "headers": to_mime(message).items(),
        "measurements": measure(message),
    }


def _place(error: Exception) -> str:
    """Where in the templates or modules of the emails it went wrong; "" if it was elsewhere."""
    root = Path(current_app.root_path)
    folders = (root / "templates", root / "emails")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if any(path.is_relative_to(folder) for folder in folders):
            return f"{path.relative_to(root)}, line {frame.lineno}"
    return ""
