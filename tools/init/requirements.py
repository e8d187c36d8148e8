"""The pins that are still needed, found without a network: by what the installed packages say."""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.init.tree import Tree


def without_unneeded(tree: Tree) -> list[str]:
    """Take pins that nothing needs out of requirements*.txt; what could not be looked up.

    A pin is needed if its package stands in the `.in` file beside it, or one that is needed
    requires it. Those of requirements-dev.txt that the app needs as well stay in both.
    """
    app = needed(wanted(tree.read("requirements.in")))
    _keep(tree, "requirements.txt", app)
    _keep(tree, "requirements-dev.txt", needed(wanted(tree.read("requirements-dev.in"))))
    return []


def wanted(text: str) -> list[Requirement]:
    """The requirements of a `.in` file."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def needed(roots: Iterable[Requirement]) -> set[str]:
    """The names of `roots` and of whatever they require, on any platform and any Python."""
    found: set[tuple[str, str]] = set()
    waiting = list(roots)
    while waiting:
        each = waiting.pop()
        name = canonicalize_name(each.name)
        for extra in ("", *each.extras):
            if (name, extra) not in found:
                found.add((name, extra))
                waiting += _required_by(name, extra)
    return {name for name, _ in found}


def _required_by(name: str, extra: str) -> list[Requirement]:
    try:
        listed = [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:  # of another platform or Python
        return []
    return [each for each in listed if _extra_of(each) == extra]


def _extra_of(requirement: Requirement) -> str:
    found = re.search(r"extra == ['\"]([\w.-]+)['\"]", str(requirement.marker or ""))
    return found[1] if found else ""


def _keep(tree: Tree, path: str, names: set[str]) -> None:
    # A pin, and the hashes below it.
    pins = filter(None, re.split(r"^(?=\S)", tree.read(path), flags=re.MULTILINE))
    kept = [pin for pin in pins if canonicalize_name(re.split(r"[=\s;]", pin)[0]) in names]
    tree.write(path, "".join(kept))
