"""Values whose fields were checked before, made without checking them again."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import attrs

_Value = TypeVar("_Value", bound=attrs.AttrsInstance)


def unchecked(kind: type[_Value], fields: Mapping[str, Any]) -> _Value:
    """A value of the attrs class `kind`, its fields neither converted nor checked.

    Raises `TypeError` for a field that is missing or unknown.
    """
    known = _defaults(kind)
    if unknown := fields.keys() - known.keys():
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    value = object.__new__(kind)
    for name, default in known.items():
        content = fields[name] if name in fields else _made(default, value, name)
        object.__setattr__(value, name, content)
    return value


@cache
def _defaults(kind: type[attrs.AttrsInstance]) -> dict[str, Any]:
    return {each.name: each.default for each in attrs.fields(kind)}


def _made(default: Any, value: attrs.AttrsInstance, name: str) -> Any:
    if default is attrs.NOTHING:
        raise TypeError(f"{type(value).__name__} needs {name}")
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # typed as a function
        return default.factory(value) if default.takes_self else default.factory()
    return default
