"""What every run ends with: a Markdown table, and a sentence that sums it up."""

from collections.abc import Iterable, Sequence

from attrs import frozen

AS_REQUIRED = "as required"


@frozen(kw_only=True)
class Report:
    """`table` has a line a result, `summary` counts them, and `missed` says what is amiss."""

    table: str
    summary: str
    missed: Sequence[str]

    @property
    def text(self) -> str:
        """All of it, for a person."""
        return f"{self.table}\n\n{self.summary}: {'; '.join(self.missed) or f'all {AS_REQUIRED}'}."


def markdown(headings: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    return "\n".join(
        f"| {' | '.join(str(cell) for cell in cells)} |"
        for cells in (headings, ["---"] * len(headings), *lines)
    )
