"""The commands of web and worker in a fresh clone, and what they refuse to start with."""

from pathlib import Path

import pytest
import requests

from tests.commands.conftest import StartIn
from tools.processes import PATIENCE, PRODUCTION, free_port, wait_until
from tools.servers import Valkey

CURL = {"email": "user@example.com", "name": "Alice"}


def migrate(run: StartIn, **variables: str) -> None:
    process = run("flask db upgrade", **variables)
    assert process.process.wait(PATIENCE) == 0, process.output()


def test_flask_run_in_a_fresh_clone_takes_the_curl_line_and_the_email_appears(
    run: StartIn, clone: Path
):
    (clone / ".env").write_text((clone / ".env.example").read_text())
    migrate(run)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = run(f"flask run --port {port}", PORT=str(port))
    server.wait_for_http(f"{url}/healthz")
    answer = requests.post(f"{url}/api/send", json=CURL, timeout=10)
    assert (answer.status_code, set(answer.json())) == (202, {"id", "status"})

    def arrived() -> bool:
        emails = requests.get(f"{url}/inbox.json", timeout=10).json()["emails"]
        return [(each["to"], each["state"]) for each in emails] == [(CURL["email"], "accepted")]

    wait_until(arrived, "the email in the inbox")
    assert requests.get(f"{url}/preview/welcome", timeout=10).status_code == 200
    through_a_tunnel = {"X-Forwarded-For": "203.0.113.7"}
    for path in ("/inbox", "/inbox.json", "/preview", "/preview/welcome"):
        assert requests.get(url + path, headers=through_a_tunnel, timeout=10).status_code == 404
    assert "Alice" not in server.output()
    assert CURL["email"] not in server.output()


def test_flask_run_delivers_what_was_queued_before_without_any_traffic(run: StartIn, clone: Path):
    (clone / ".env").write_text((clone / ".env.example").read_text())
    migrate(run)
    queue = "from app import app, email; import emails; from background import send_in_background; "
    queue += "from extensions import db\nwith app.app_context():\n"
    queue += "    send_in_background(emails.welcome(to='ann@example.com', name='Ann'))\n"
    queue += "    db.session.commit()\n"
    (clone / "queue_one.py").write_text(queue)
    script = run("python queue_one.py", FLASK_DEBUG="1")
    assert script.process.wait(PATIENCE) == 0, script.output()
    server = run(f"flask run --port {free_port()}")
    server.wait_for_output("email accepted")


def test_gunicorn_starts_with_the_least_that_production_needs_and_hides_inbox_and_preview(
    run: StartIn, clone: Path
):
    (clone / ".env").write_text((clone / ".env.example").read_text())  # says FLASK_DEBUG=1
    migrate(run, **PRODUCTION)
    port = free_port()
    server = run("gunicorn app:app", **PRODUCTION, PORT=str(port))
    url = f"http://127.0.0.1:{port}"
    server.wait_for_http(f"{url}/healthz")
    for path in ("/inbox", "/preview", "/preview/welcome", "/inbox.json"):
        assert requests.get(url + path, timeout=10).status_code == 404
    ready = requests.get(f"{url}/readyz", timeout=10)
    assert (ready.status_code, ready.headers.get("Server")) == (200, None)
    assert requests.post(f"{url}/api/send", json=CURL, timeout=10).status_code == 503
    requests.get(f"{url}/reset-password?token=very-secret-token", timeout=10)
    wait_until(lambda: "/reset-password" in server.output(), "the access log")
    assert "very-secret-token" not in server.output()
    assert server.output().count("REDIS_URL is not set: each of 2 workers counts") == 1
    assert server.terminate() == 0


def test_gunicorn_without_settings_ends_with_one_message_that_lists_every_problem(run: StartIn):
    server = run("gunicorn app:app")
    assert server.process.wait(PATIENCE) != 0
    said = server.output()
    for name in ("SECRET_KEY", "APP_URL", "FROM_EMAIL", "EMAIL_PROVIDER"):
        assert said.count(f"  - {name} is required") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "command",
    ["gunicorn -c other.py --chdir {clone} app:app", "python serve.py"],
)
def test_a_copied_env_file_opens_nothing_under_any_other_server(
    run: StartIn, clone: Path, command: str
):
    (clone / ".env").write_text((clone / ".env.example").read_text())  # says FLASK_DEBUG=1
    (clone / "other.py").write_text("bind = '127.0.0.1:0'\n")
    serve = "from wsgiref.simple_server import make_server\nfrom app import app\n"
    (clone / "serve.py").write_text(f"{serve}make_server('127.0.0.1', 0, app).serve_forever()\n")
    run(command.format(clone=clone)).wait_for_output("SECRET_KEY is required in production")


@pytest.mark.parametrize("command", ["flask routes", "celery -A tasks worker --loglevel=info"])
def test_no_command_starts_with_bad_settings(run: StartIn, command: str):
    process = run(command, EMAIL_DELIVERY="celery")
    assert process.process.wait(PATIENCE) != 0
    assert "SECRET_KEY is required" in process.output()
    assert "REDIS_URL is required" in process.output()


def test_a_worker_without_celery_delivery_says_what_to_set(run: StartIn):
    process = run("celery -A tasks worker --loglevel=info", FLASK_DEBUG="1")
    assert process.process.wait(PATIENCE) != 0
    assert "set EMAIL_DELIVERY=celery" in process.output()


def test_a_worker_that_would_fork_says_which_pool_it_needs(run: StartIn):
    """For `-P prefork`, its default, Celery takes the pool that is configured: threads."""
    nowhere = {"EMAIL_DELIVERY": "celery", "REDIS_URL": "redis://127.0.0.1:1/0"}
    process = run("celery -A tasks worker -P processes", FLASK_DEBUG="1", **nowhere)
    assert process.process.wait(PATIENCE) != 0
    assert process.output().splitlines()[-1] == (
        "emails are sent by threads: start the worker without -P (or --pool), or with -P threads"
    )


def test_the_worker_starts_in_a_fresh_clone_and_logs_like_the_web(
    run: StartIn, clone: Path, valkey: Valkey
):
    variables = PRODUCTION | {"EMAIL_DELIVERY": "celery", "REDIS_URL": valkey.url}
    migrate(run, **variables)
    worker = run("celery -A tasks worker --loglevel=info", **variables)
    worker.wait_for_output("ready.")
    assert '"level": "INFO"' in worker.output()  # JSON, as in production's web process
    assert worker.terminate() == 0
