"""Leaving parts out: what their offers name, and what then nobody needs any more."""

import re
from collections.abc import Iterable, Sequence

from tools.init.offer import Offer
from tools.init.requirements import without_unneeded
from tools.init.tree import Mismatch, Tree


def drop(tree: Tree, offers: Sequence[Offer]) -> tuple[list[str], list[str]]:
    """Take out what `offers` name. What was done, and what is left to do by hand, line by line."""
    done: list[str] = []
    by_hand: list[str] = []
    removed: list[str] = []
    for offer in offers:
        files = [path for pattern in offer.paths for path in tree.remove(pattern)]
        removed += files
        done.append(f"left out {offer.what} ({len(files)} files)")
    for offer in offers:
        by_hand += [f"{offer.name}: {each}" for each in _edit(tree, offer)]
        cut_sections(tree, offer.name)
    forget_modules(tree, removed)
    by_hand += without_unneeded(tree)
    return done, by_hand


def _edit(tree: Tree, offer: Offer) -> list[str]:
    by_hand = []
    for path, names in offer.definitions.items():
        if tree.has(path):
            try:
                tree.without_definitions(path, names)
            except Mismatch as error:
                by_hand.append(str(error))
    for path, old, new in offer.edits:
        if tree.has(path):
            try:
                tree.replace(path, old, new)
            except Mismatch as error:
                by_hand.append(str(error))
    for target in offer.targets:
        _without_target(tree, target)
    return by_hand


def _without_target(tree: Tree, target: str) -> None:
    """Take a target and its word in `.PHONY` out of the Makefile."""
    text = re.sub(rf"^{target}:.*\n(\t.*\n)*\n?", "", tree.read("Makefile"), flags=re.MULTILINE)
    phony = re.compile(r"^\.PHONY:.*$", re.MULTILINE)
    tree.write("Makefile", phony.sub(lambda line: re.sub(rf" {target}(?=\s|$)", "", line[0]), text))


def cut_sections(tree: Tree, name: str) -> None:
    """Cut what is about the part `name` alone out of the documents.

    `<!-- name -->` to `<!-- /name -->`, on lines of their own or inside one, and each line that
    holds `<!-- only name -->`, as a row of a table does.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    section = re.compile(
        rf"^{start}\n(?s:.*?)^{end}\n|{start}(?s:.*?){end}|^.*<!-- only {name} -->.*\n",
        re.MULTILINE,
    )
    for page in [*tree.root.glob("*.md"), *tree.root.glob("docs/**/*.md")]:
        path = page.relative_to(tree.root).as_posix()
        if tree.has(path):
            tree.write(path, section.sub("", tree.read(path)))


def forget_modules(tree: Tree, removed: Iterable[str]) -> None:
    """Take the names of modules that are gone out of the lists of pyproject.toml."""
    text = tree.read("pyproject.toml")
    for path in removed:
        if path.endswith(".py"):
            text = _without_module(text, path.removesuffix(".py"))
    tree.write("pyproject.toml", re.sub(r"[ ]+$", "", text, flags=re.MULTILINE))


def _without_module(text: str, path: str) -> str:
    *folders, name = path.split("/")
    module = re.escape(path.replace("/", "."))
    text = re.sub(rf'"{module}",[ ]?|,\s*"{module}"(?=\])', "", text)
    # A pattern of ruff names it in the braces behind its room: `emails/{accounts,billing}`.
    room = rf"\b{re.escape('/'.join(folders))}" if folders else r"!\."
    text = re.sub(rf"({room}/\{{(?:[^{{}}]*,)?){re.escape(name)},", r"\1", text)
    return re.sub(rf"({room}/\{{[^{{}}]*),{re.escape(name)}\}}", r"\1}", text)
