"""The pages about this template."""

from tools.init.offer import Offer

OFFER = Offer(
    name="docs",
    what="the documentation of the template",
    paths=("docs", "tests/template/test_upgrade.py"),
    edits=(
        (
            "SECURITY.md",
            "; [docs/upgrade.md](docs/upgrade.md) says how to take them.",
            ".",
        ),
    ),
)
