"""What the accept path is compared with: a JSON route that does nothing, and the guide's queue."""

from uuid import uuid4

from flask import Flask, request
from flask.typing import ResponseReturnValue

from tools.benchmarks.guide_tasks import send_email_task
from tools.benchmarks.sample import HTML, SUBJECT

app = Flask(__name__)


@app.get("/healthz")
def healthz() -> ResponseReturnValue:
    return {"status": "ok"}


@app.post("/bare")
def bare() -> ResponseReturnValue:
    """Read the JSON, and answer as `POST /api/send` does."""
    data = request.get_json()
    return {"id": str(uuid4()), "status": f"{data['name']} {data['email']}"}, 202


@app.post("/delay")
def delay() -> ResponseReturnValue:
    """The same with `.delay()`; the HTML is there already."""
    data = request.get_json()
    send_email_task.delay(data["email"], SUBJECT, HTML)
    return {"id": str(uuid4()), "status": data["name"]}, 202
