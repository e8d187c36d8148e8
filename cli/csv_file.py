"""CSV files of any size, read row by row and as often as needed; cells that are no formulas."""

import csv
import hashlib
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import islice
from pathlib import Path

import click
from attrs import frozen

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

DELIMITERS = ",;\t"  # what spreadsheets write, depending on the country
BAR_STEP = 100  # rows between two looks at the progress bar
MAX_LINE = 1_000_000  # bytes; a longer one is no line of a CSV, and would fill the memory
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def defused(cell: str) -> str:
    """The cell as it is exported: a spreadsheet shows it, and never runs it as a formula.

    An apostrophe before it says that it is text (owasp.org/www-community/attacks/CSV_Injection).
    One that begins with apostrophes and goes on like a formula gets another, so that `restored`
    can tell.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def restored(cell: str) -> str:
    """What `defused` made safe, as it was."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class BadLine(Exception):
    """A line that cannot be read, nor can what follows it."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")


@frozen
class CsvRow:
    """One row, and the line of the file in which it begins."""

    line: int
    columns: tuple[str, ...]
    cells: tuple[str, ...]

    def named(self) -> dict[str, str]:
        """The cells by column. Raises `ValueError` if there are too many or too few."""
        if len(self.cells) != len(self.columns):
            raise ValueError(
                f"{len(self.cells)} cells for {len(self.columns)} columns; "
                "a value that holds the delimiter needs quotes around it"
            )
        return dict(zip(self.columns, self.cells, strict=True))


@contextmanager
def open_csv(path: Path) -> Iterator["CsvFile"]:
    """Open a CSV file. Raises `click.ClickException` if it cannot be read, wherever that shows."""
    with path.open("rb") as file:
        if not file.seekable():
            raise click.ClickException(f"{path} is read more than once: save it as a file first")
        try:
            yield CsvFile(file)
        except BadLine as error:
            raise click.ClickException(f"{path}, {error}") from None


class CsvFile:
    """A CSV file in UTF-8. Its columns are separated by commas, semicolons or tabs.

    `columns` are the names in its first row, `position` is how many bytes of its `size` were read.
    Its methods raise `BadLine`.
    """

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._opened = os.fstat(file.fileno())
        self.size = self._opened.st_size
        self.position = 0
        first = next(self._lines(), "")
        self._delimiter = max(DELIMITERS, key=first.count)
        _, names = next(self._records(), (1, []))
        self.columns = tuple(name.strip() for name in names)

    @property
    def has_changed(self) -> bool:
        """Whether somebody wrote to it since it was opened."""
        now = os.fstat(self._file.fileno())
        return (now.st_mtime_ns, now.st_size) != (self._opened.st_mtime_ns, self.size)

    def hash(self) -> str:
        """The SHA-256 of its bytes."""
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").hexdigest()

    def rows(self) -> Iterator[CsvRow]:
        """Every row below the names of the columns but the empty ones, from the first one on."""
        records = self._records()
        next(records, None)
        for line, cells in records:
            yield CsvRow(line, self.columns, tuple(cell.strip() for cell in cells))

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(self._lines(), delimiter=self._delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise BadLine(line, f"{error}; is a quote missing, or one too many?") from None
            if any(cells):
                yield line, cells

    def _lines(self) -> Iterator[str]:
        self._file.seek(0)
        self.position = 0
        number = 0
        while raw := self._file.readline(MAX_LINE + 1):
            number += 1
            self.position += len(raw)
            if len(raw) > MAX_LINE:
                raise BadLine(number, f"it has more than {MAX_LINE:,} bytes; is this a CSV?")
            try:
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                bad = f"byte {raw[error.start]:#x} is not UTF-8"
                raise BadLine(number, f"{bad}; save the file as CSV in UTF-8") from None


def with_bar(table: CsvFile, label: str, *, skip: int = 0) -> Iterator[CsvRow]:
    """The rows of the file but the first `skip`, with a bar: their rate, and the time left."""
    began = time.monotonic()
    with click.progressbar(
        length=table.size,
        label=label,
        item_show_func=_rate,
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        for count, row in enumerate(islice(table.rows(), skip, None), 1):
            yield row
            if count % BAR_STEP == 0:
                rate = round(count / (time.monotonic() - began))
                bar.update(table.position - bar.pos, rate)
        bar.update(table.size - bar.pos)


def _rate(rate: int | None) -> str | None:
    return None if rate is None else f"{rate:,} rows/s"
