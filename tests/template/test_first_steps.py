"""The steps of `make test-init` can be taken, and the rules that they could break hold."""

from pathlib import Path

import pytest

from tests.template.first_steps import STEPS, run, take

pytestmark = pytest.mark.slow

RULES = ("tests/blueprints/test_routes.py", "tests/test_migrations.py", "tests/test_app.py")


def test_a_cloners_first_steps_break_no_rule(tmp_path: Path):
    take(STEPS, tmp_path)
    run(tmp_path, "ruff", "check", ".")
    run(tmp_path, "ruff", "format", "--check", ".")
    run(tmp_path, "python", "-m", "pytest", "-n", "0", "-q", *RULES, "-k", "not postgresql")
