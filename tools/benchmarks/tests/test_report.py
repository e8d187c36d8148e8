"""The page: each part in its section, and nothing else touched."""

from pathlib import Path
from xml.etree import ElementTree

from tools.benchmarks import report
from tools.benchmarks.report import Section, Table
from tools.benchmarks.rounds import Results


def section(title: str, value: str, *bars: tuple[str, float, bool]) -> Section:
    table = Table(("sender", "times"), [["ours", value]])
    return Section(name=title, title=title, about="What it is.", tables=[table], bars=bars)


def test_a_part_that_is_measured_again_takes_its_own_place(tmp_path: Path):
    report.write(tmp_path, [section("One", "1.0"), section("Two", "2.0")])
    page = tmp_path / report.PAGE
    words = "## What it says\n\nA person's words.\n"
    page.write_text(f"{page.read_text('utf-8')}\n{words}", "utf-8")
    report.write(tmp_path, [section("One", "7.0"), section("Three", "3.0")])
    text = page.read_text("utf-8")
    assert text.startswith(report.INTRODUCTION)
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == ["## One", "## Two", "## What it says", "## Three"]
    assert "| ours | 7.0 |" in text
    assert "| ours | 1.0 |" not in text
    assert words in text
    report.write(tmp_path, [section("One", "7.0")])
    assert page.read_text("utf-8") == text


def test_bars_are_drawn_beside_the_page_and_shown_on_it(tmp_path: Path):
    bars = [("ours & others", 100.0, True), ("the guide", 50.0, False)]
    report.write(tmp_path, [section("Rates", "2", *bars)])
    assert f"![Rates]({report.PLOT})" in (tmp_path / report.PAGE).read_text("utf-8")
    drawn = ElementTree.parse(tmp_path / report.PLOT).getroot()  # noqa: S314  our own file
    _, ours, guide = [float(each.get("width", "")) for each in drawn if each.get("width")]
    assert ours == 2 * guide
    texts = [element.text for element in drawn if element.tag.endswith("text")]
    assert texts == ["Rates", "ours & others", "100", "the guide", "50"]


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds():
    ours = [{"rate": rate} for rate in (10.0, 40.0, 90.0)]
    theirs = [{"rate": rate} for rate in (10.0, 20.0, 10.0)]
    results = Results({"ours": ours, "theirs": theirs})
    assert results.ratio("ours", "theirs", "rate") == 2
    assert results.median("ours", "rate") == 40


def test_numbers_show_three_digits():
    shown = [report.number(value) for value in (0.123, 1.234, 12.34, 1234.5, float("nan"))]
    assert shown == ["0.12", "1.23", "12.3", "1,234", "-"]
