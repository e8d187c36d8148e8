"""`app.py`: importing `create_app` does nothing else; asking for `app` builds it."""

import json
import os
import subprocess
import sys

import pytest

from tools.processes import ROOT

WATCH = """
import json, os, sys, threading

touched = []

def watch(event, args):
    if event == "open":
        path, mode, flags = args
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or str(path).endswith(".env"):
            touched.append(str(path))
    elif event in ("sqlite3.connect", "socket.connect", "subprocess.Popen"):
        touched.append(event)

sys.addaudithook(watch)
before = dict(os.environ)
"""
REPORT = """
import logging
print(json.dumps({
    "touched": touched,
    "threads": threading.active_count(),
    "handlers": len(logging.getLogger().handlers),
    "environment": dict(os.environ) == before,
}))
"""


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own, whose settings cannot work."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "FLASK_DEBUG": "0",
        "EMAIL_PROVIDER": "nonsense",
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_importing_create_app_does_nothing_else():
    result = run_python(f"{WATCH}\nfrom app import create_app, email\n{REPORT}")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "touched": [],
        "threads": 1,
        "handlers": 0,
        "environment": True,
    }


def test_asking_for_the_app_builds_it_and_says_in_one_message_why_it_cannot():
    result = run_python("from app import app")
    assert result.returncode == 1
    assert "EMAIL_PROVIDER does not know 'nonsense'" in result.stderr
    assert "Traceback" not in result.stderr


def test_other_names_are_missing_as_in_any_module():
    import app

    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = app.nothing_of_the_kind
