"""What holds the template itself together: its rooms, its routes, its strictness."""

from tools.init.offer import Offer

OFFER = Offer(
    name="tests/template",
    what="the tests of the template itself",
    paths=("tests/template",),
    edits=(
        (
            "CONTRIBUTING.md",
            " `tests/template/` is about this template, and is deleted with it.",
            "",
        ),
    ),
)
