"""Exports are opened in spreadsheets, which run what looks like a formula."""

import csv
import io
from pathlib import Path

import pytest
from flask import Flask

from cli.csv_file import defused, restored
from database import db
from outbox import suppression

FORMULAS = [
    '=HYPERLINK("https://evil.example","click")', "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1",
]  # fmt: skip
HARMLESS = ["", "hard bounce", "'", "it's", "'quoted'", "5 - 3", "a=b"]


@pytest.mark.parametrize("cell", [*FORMULAS, *(f"'{each}" for each in FORMULAS), *HARMLESS])
def test_what_was_defused_is_read_back_unharmed(cell: str):
    assert restored(defused(cell)) == cell
    assert defused(cell)[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}


@pytest.mark.parametrize("cell", HARMLESS)
def test_what_is_no_formula_stays_as_it_is(cell: str):
    assert defused(cell) == cell


def test_an_export_of_suppressions_runs_no_formula_and_is_imported_as_it_was(
    app: Flask, tmp_path: Path
):
    runner = app.test_cli_runner()
    people = [f"{first}cmd@example.com" for first in "=+-'"]  # each is an address

    def stored() -> set[tuple[str, str]]:
        with app.app_context():
            rows = suppression.every_suppression(db.session())
            return {(row.address, row.reason) for row in rows}

    for number, address in enumerate([*people, "'=cmd@example.com"]):
        arguments = ["--reason", FORMULAS[number], "--", address]
        added = runner.invoke(args=["email", "suppressions", "add", *arguments])
        assert added.exit_code == 0, added.output
    before = stored()
    exported = runner.invoke(args=["email", "suppressions", "export"]).stdout
    cells = [cell for row in csv.reader(io.StringIO(exported)) for cell in row]
    assert [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n")] == []
    file = tmp_path / "suppressions.csv"
    file.write_bytes(exported.encode())
    for address, _ in before:
        runner.invoke(args=["email", "suppressions", "remove", "--", address])
    assert stored() == set()
    imported = runner.invoke(args=["email", "suppressions", "import", str(file)])
    assert imported.output == "5 added\n"
    assert stored() == before
