"""`make demo`."""

from tools.init.offer import Offer

OFFER = Offer(
    name="demo",
    what="the demo of all parts together",
    paths=("tools/demo",),
    targets=("demo",),
    edits=(
        (
            "requirements-dev.in",
            "psutil>=7                   # which processes a command leaves behind\n",
            "",
        ),
        ("pyproject.toml", ' "psutil.*",', ""),
    ),
)
