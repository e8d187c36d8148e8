"""What a part found, as Markdown; and docs/benchmarks.md, in which each part has its section."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from attrs import field, frozen

from tools.benchmarks.plot import Bar, chart

PAGE, PLOT = "benchmarks.md", "benchmarks.svg"
INTRODUCTION = (
    "# Benchmarks\n\n"
    "`make bench` wrote these figures: all side by side on one machine, over loopback, against a "
    "provider that answers at once. `make bench ONLY=engine` measures one part anew. Contenders "
    "take turns in every round, and a ratio is the median of the ratios of the rounds. Only "
    "ratios carry over to another machine.\n"
)


@frozen
class Table:
    """The lines of a part under their headings."""

    headings: Sequence[str]
    lines: Sequence[Sequence[str]]

    def markdown(self) -> str:
        rule = ["---", *["---:"] * (len(self.headings) - 1)]
        cells = (self.headings, rule, *self.lines)
        return "\n".join(f"| {' | '.join(line)} |" for line in cells)


@frozen
class Section:
    """What a part found. `bars` are drawn, if it has any; one part of all has."""

    name: str
    title: str
    about: str
    tables: Sequence[Table]
    bars: Sequence[Bar] = field(factory=list)

    def markdown(self) -> str:
        parts = [f"## {self.title}", f"{self.about} {_machine()}"]
        parts += [table.markdown() for table in self.tables]
        if self.bars:
            parts.append(f"![{self.title}]({PLOT})")
        return "\n\n".join(parts)


def write(folder: Path, sections: Iterable[Section]) -> None:
    """Put the sections into the page, each in the place of the former one of its title."""
    path = folder / PAGE
    text = path.read_text(encoding="utf-8") if path.exists() else INTRODUCTION
    for section in sections:
        text = _with(text, section)
        if section.bars:
            (folder / PLOT).write_text(chart(section.title, section.bars), encoding="utf-8")
    path.write_text(text, encoding="utf-8")


def _with(text: str, section: Section) -> str:
    old = re.compile(rf"^## {re.escape(section.title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    found = old.search(text)
    before, after = (text[: found.start()], text[found.end() :]) if found else (text, "")
    return "\n\n".join(filter(None, [before.strip(), section.markdown(), after.strip()])) + "\n"


def number(value: float) -> str:
    """Three digits that count, with commas; a dash where nothing could be measured."""
    if value != value:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _machine() -> str:
    load = os.getloadavg()[0]
    today = datetime.now(UTC).date()
    return (
        f"Measured on {today}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, load {load:.1f}."
    )
