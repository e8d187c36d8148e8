"""`make drill`, `make faults` and `make fuzz`."""

from tools.init.offer import Offer

OFFER = Offer(
    name="drill",
    what="the drill with its faults and its fuzzing",
    paths=("tools/drill",),
    targets=("drill", "faults", "fuzz"),
    edits=(
        ("pyproject.toml", " # not the long tools/drill/faults: none is named test_*.py", ""),
        ("tests/hostile/test_mutations.py", "scheme; `make fuzz` sends 10,000.", "scheme."),
    ),
)
