"""What a vendor wants defined before it is used: lists, segments, custom fields.

An account names them once; they are looked up by name, and made where there is none yet.
"""

from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Generic, TypeVar

from attrs import frozen

from errors import InvalidMessage
from subscriber_changes import Value

Made = TypeVar("Made")
Wanted = TypeVar("Wanted")


class Definitions(Generic[Made, Wanted]):
    """All definitions of one sort by name, kept from one change to the next.

    `read` fetches them all; `create(name, wanted)` makes one, and raises `InvalidMessage` if
    another process was faster. That, and that a definition was deleted meanwhile, is for the
    caller to notice: then `forget` and try again.
    """

    def __init__(
        self, read: Callable[[], dict[str, Made]], create: Callable[[str, Wanted], Made]
    ) -> None:
        self._read, self._create = read, create
        self._known: dict[str, Made] = {}
        self._creating = Lock()

    def find(self, names: Iterable[str], *, fresh: bool = False) -> dict[str, Made]:
        """Those that exist, by name; `fresh` trusts nothing that was looked up before."""
        names, known = list(names), self._known
        if fresh or not known.keys() >= set(names):
            known = self._known = self._read()
        return {name: known[name] for name in names if name in known}

    def ensure(self, wanted: Mapping[str, Wanted]) -> dict[str, Made]:
        """All of `wanted`, made where they are missing."""
        found = self.find(wanted)
        if len(found) == len(wanted):
            return found
        with self._creating:  # one thread makes them for all
            known = self._known
            missing = [name for name in wanted if name not in known]
            if missing:
                made = {name: self._create(name, wanted[name]) for name in missing}
                # Where two processes made the same one, the list tells both which of them counts.
                known = self._known = known | made | self._read()
        return {name: known[name] for name in wanted}

    def forget(self) -> None:
        """Look everything up again."""
        self._known = {}


@frozen
class CustomField:
    """A field for an attribute of subscribers. `key` is how the vendor names it in a contact."""

    key: str
    is_number: bool

    def fit(self, name: str, value: Value) -> str | int | float | None:
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
