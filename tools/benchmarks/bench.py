"""What a part is given: a folder, a size, a stub, and a line that says how far it is."""

from pathlib import Path

from attrs import frozen

from tools.benchmarks.progress import Progress
from tools.benchmarks.stubs import Stub


@frozen(kw_only=True)
class Size:
    """How much is measured: rounds, and seconds and emails at most for one contender in one.

    `rows` are those of the large table.
    """

    rounds: int = 5
    seconds: float = 2.5
    emails: int = 10_000
    rows: int = 1_000_000


@frozen(kw_only=True)
class Bench:
    """One run. `folder` is gone when it ends."""

    folder: Path
    size: Size
    stub: Stub
    progress: Progress
