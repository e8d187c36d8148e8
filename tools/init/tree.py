"""The files of a repository as they will be; nothing is on the disk before `save`."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path


class Mismatch(Exception):
    """A file is not as an offer expects it; the text says what to do by hand."""


class Tree:
    """The files below `root`, with changes that `save` makes all at once.

    Paths are text, relative to `root`, with slashes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._texts: dict[str, str] = {}
        self._gone: set[str] = set()

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return path not in self._gone and (path in self._texts or (self.root / path).is_file())

    def read(self, path: str) -> str:
        """The text of a file. Raises `FileNotFoundError`."""
        if path in self._gone:
            raise FileNotFoundError(path)
        if path not in self._texts:
            return (self.root / path).read_text(encoding="utf-8")
        return self._texts[path]

    def write(self, path: str, text: str) -> bool:
        """Give a file this text; False if it has it already."""
        if self.has(path) and self.read(path) == text:
            return False
        self._gone.discard(path)
        self._texts[path] = text
        return True

    def remove(self, pattern: str) -> list[str]:
        """Remove what a path or a glob pattern names, folders whole; the files that went."""
        found = [
            file.relative_to(self.root).as_posix()
            for place in sorted(self.root.glob(pattern))
            for file in ([place] if place.is_file() else sorted(place.rglob("*")))
            if file.is_file() and "__pycache__" not in file.parts
        ]
        new = [path for path in found if path not in self._gone]
        self._gone.update(new)
        return new

    def replace(self, path: str, old: str, new: str = "") -> None:
        """Put `new` in the place of `old`, which stands there once. Raises `Mismatch`."""
        text = self.read(path)
        if text.count(old) != 1:
            todo = f"put\n{new}\nin the place of\n{old}" if new else f"take out\n{old}"
            raise Mismatch(f"{path} has {text.count(old)} places like this; by hand: {todo}")
        self.write(path, text.replace(old, new))

    def without_definitions(self, path: str, names: Iterable[str]) -> None:
        """Take functions, classes and constants out of a module, with the comments above them.

        A method is named `Class.method`. Raises `Mismatch` for a name that the module does not
        define just once.
        """
        text = self.read(path)
        lines = text.splitlines(keepends=True)
        defined = [(each, name) for name, each in _definitions(ast.parse(text).body)]
        for name in names:
            found = [node for node, defines in defined if defines == name]
            if len(found) != 1:
                raise Mismatch(f"{path} does not define {name} once; by hand: take {name} out")
            start, end = _first_line(found[0], lines), found[0].end_lineno or 0
            lines[start:end] = [""] * (end - start)
        self.write(path, "".join(lines))

    def save(self) -> None:
        """Write what changed, remove what went, and folders that hold nothing any more."""
        for path, text in self._texts.items():
            if path not in self._gone:
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                (self.root / path).write_text(text, encoding="utf-8")
        for path in sorted(self._gone):
            (self.root / path).unlink(missing_ok=True)
            self._remove_empty((self.root / path).parent)

    def _remove_empty(self, folder: Path) -> None:
        while folder != self.root and folder.is_dir():
            left = [each for each in folder.iterdir() if each.name != "__pycache__"]
            if left:
                return
            for each in folder.glob("__pycache__/*"):
                each.unlink()
            for each in folder.glob("__pycache__"):
                each.rmdir()
            folder.rmdir()
            folder = folder.parent


def _definitions(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        yield from ((name, node) for name in _defines(node))
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{name}", inner) for name, inner in _definitions(node.body))


def _defines(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            return [each.id for each in targets if isinstance(each, ast.Name)]
    return []


def _first_line(node: ast.stmt, lines: list[str]) -> int:
    decorated = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.decorator_list
    start = (decorated[0].lineno if decorated else node.lineno) - 1
    while start > 0 and re.match(r"\s*#", lines[start - 1]):
        start -= 1
    return start
