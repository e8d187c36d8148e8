"""What can be left out, as data: one `Offer` a file of `offers/`."""

import importlib
import pkgutil
from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Offer:
    """One part that a product may go without.

    `paths` are files, folders and patterns to remove. `definitions` are functions, classes and
    constants to take out of the modules that stay. `edits` are `(file, old text, new text)`, where
    the old text stands in the file once. `targets` are those of the Makefile. `takes` names other
    offers that cannot stay without this part. Imports that nothing needs any more, modules
    in pyproject.toml and pins of requirements*.txt go by themselves.
    """

    name: str
    what: str
    paths: tuple[str, ...] = ()
    definitions: Mapping[str, tuple[str, ...]] = field(factory=dict)
    edits: tuple[tuple[str, str, str], ...] = ()
    targets: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


def all_offers() -> dict[str, Offer]:
    """Every offer by name, found by looking: `OFFER` in a file of `offers/`."""
    package = importlib.import_module("tools.init.offers")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    return {module.OFFER.name: module.OFFER for module in modules}
