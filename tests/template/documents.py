"""README and docs/ as the tests read them: their code, and the files that the code is for."""

import ast
import re
from pathlib import Path

from attrs import frozen

from tools.processes import ROOT

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = sorted({*ROOT.glob("*.md"), *PAGES})

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"(?:#|\{#) (?P<path>[\w./-]+\.\w+)(?:, in (?P<place>\w+))?(?: -#\})?")


@frozen
class Block:
    """A block of code. Its first line may name the file that it is for, and a place in there."""

    page: Path
    number: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The path of the file, such as `blueprints/projects.py`."""
        named = _FILE.fullmatch(self.text.partition("\n")[0])
        return named and named["path"]

    @property
    def place(self) -> str | None:
        """The name of the tuple in that file that the block goes into."""
        named = _FILE.fullmatch(self.text.partition("\n")[0])
        return named and named["place"]

    def __str__(self) -> str:
        return f"{self.page.stem.lower().replace('-', '_')}_{self.number}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in these languages, in their order."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    all_of_them = [Block(page, number, *each) for number, each in enumerate(found, start=1)]
    return [each for each in all_of_them if each.language in languages]


def code(page: Path) -> str:
    """All code of a page: its blocks and its spans, one a line."""
    text = page.read_text(encoding="utf-8")
    spans = re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))
    return "\n".join([block for _, block in _BLOCK.findall(text)] + spans)


def apply(block: Block, root: Path) -> None:
    """Put a block into its file below `root`, as a reader would.

    A new file holds the block as it is, and so does a template. In a Python file that is there,
    what the block defines takes the place of what had the name, or comes last; imports come first.
    """
    assert block.file, f"{block} names no file in its first line"
    path = root / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    if block.place:
        start = f"{block.place} = (\n"
        assert there.count(start) == 1, f"{block.file} has no {start!r}"
        path.write_text(there.replace(start, start + block.text), encoding="utf-8")
    elif there and path.suffix == ".py":
        path.write_text(_merged(there, block.text), encoding="utf-8")
    else:
        path.write_text(block.text, encoding="utf-8")


def _merged(there: str, new: str) -> str:
    lines, tree = new.splitlines(), ast.parse(new)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    named = {getattr(node, "name", None) for node in tree.body} - {None}
    old, kept = ast.parse(there), there.splitlines()
    for node in reversed(old.body):
        if getattr(node, "name", None) in named:
            del kept[node.lineno - 1 : node.end_lineno]
    first = next(node for node in old.body if isinstance(node, ast.Import | ast.ImportFrom))
    kept[first.lineno - 1 : first.lineno - 1] = [ast.unparse(node) for node in imports]
    last = imports[-1].end_lineno if imports else 1
    return "\n".join([*kept, *lines[last:]]) + "\n"
