"""What a vendor wants to exist before it is used: lists, segments, custom fields.

An account names them once; they are looked up by name, and created where there is none yet.
"""

from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any, Generic, TypeVar

from attrs import frozen

from errors import InvalidMessage
from providers.changes import Value

Resource = TypeVar("Resource")
Spec = TypeVar("Spec")


class NamedResources(Generic[Resource, Spec]):
    """All resources of one sort by name, cached from one change to the next.

    `fetch_all` reads them all; `create(name, spec)` makes one, and raises `InvalidMessage` if
    another process was faster. That, and that a resource was deleted meanwhile, is for the
    caller to notice: then `clear` the cache and try again.
    """

    def __init__(
        self,
        fetch_all: Callable[[], dict[str, Resource]],
        create: Callable[[str, Spec], Resource],
    ) -> None:
        self._fetch_all, self._create = fetch_all, create
        self._cache: dict[str, Resource] = {}
        self._creating = Lock()

    def get(self, names: Iterable[str], *, fresh: bool = False) -> dict[str, Resource]:
        """Those that exist, by name; `fresh` trusts nothing that was looked up before."""
        names, known = list(names), self._cache
        if fresh or not known.keys() >= set(names):
            known = self._cache = self._fetch_all()
        return {name: known[name] for name in names if name in known}

    def get_or_create(self, specs: Mapping[str, Spec]) -> dict[str, Resource]:
        """All that `specs` names, created where they are missing."""
        found = self.get(specs)
        if len(found) == len(specs):
            return found
        with self._creating:  # one thread creates them for all
            known = self._cache
            missing = [name for name in specs if name not in known]
            if missing:
                created = {name: self._create(name, specs[name]) for name in missing}
                # Where two processes made the same one, the list tells both which of them counts.
                known = self._cache = known | created | self._fetch_all()
        return {name: known[name] for name in specs}

    def clear(self) -> None:
        """Look everything up again."""
        self._cache = {}


def ids_by_name(named: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The ids of objects with a `name` and an `id`; several may have one name."""
    ids: dict[str, tuple[str, ...]] = {}
    for each in named:
        name = str(each.get("name"))
        ids[name] = (*ids.get(name, ()), str(each.get("id")))
    return ids


@frozen
class CustomField:
    """A field for an attribute of subscribers. `key` is how the vendor names it in a contact."""

    key: str
    is_number: bool

    def convert(self, name: str, value: Value) -> str | int | float | None:
        """`value` as this field takes it; raises `InvalidMessage` for text in a number field."""
        if value is None:
            return None
        if is_number(value) and self.is_number:
            return value
        if self.is_number:
            raise InvalidMessage(
                f"attributes[{name}] must be a number, as the field of this name at the provider",
                field="attributes",
            )
        return str(value).lower() if isinstance(value, bool) else str(value)


def is_number(value: Value) -> bool:
    """Whether a field made for `value` is one of numbers; true and false are kept as text."""
    return isinstance(value, int | float) and not isinstance(value, bool)
