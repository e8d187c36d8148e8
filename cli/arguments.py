"""The arguments of an email as columns of a CSV: which there are, and how a cell is read."""

import inspect
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Union, get_args, get_origin, get_type_hints

import click
from attrs import frozen

from emails import Email, all_emails
from message import Address

_YES_OR_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment


_READERS: Mapping[Any, tuple[Callable[[str], Any], str]] = {
    str: (str, "text"),
    Address: (Address.parse, "an address"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    Decimal: (Decimal, "a number"),
    bool: (lambda text: _YES_OR_NO[text.lower()], "true or false"),
    date: (date.fromisoformat, "a day like 2026-03-14"),
    datetime: (_moment, "a time with its zone like 2026-03-14T09:00:00Z"),
}
"""For each type how a cell is read, and what it must be."""


@frozen
class Argument:
    """One argument of an email. `kind` is a key of `_READERS`, or None: no cell can hold it."""

    name: str
    kind: Any
    required: bool
    example: Any

    def read(self, text: str) -> Any:
        """The value of a cell that is not empty. Raises `ValueError` that says what it must be."""
        reader, words = _READERS[self.kind]
        try:
            return reader(text)
        except (ValueError, KeyError, InvalidOperation):
            like = f" like {self.example}" if self.kind is int and self.example else ""
            raise ValueError(f"{self.name} is {text!r}, not {words}{like}") from None


def find_email(name: str) -> Email:
    """The email `name`. Raises `click.BadParameter` that lists them all."""
    found = all_emails()
    if name not in found:
        raise click.BadParameter(f"there is no email {name!r}; there are: {', '.join(found)}")
    return found[name]


def arguments_of(email: Email) -> dict[str, Argument]:
    """The arguments of the email's function, by name. One without an annotation takes text."""
    hints = get_type_hints(email.compose)
    return {
        name: Argument(
            name=name,
            kind=_kind(hints.get(name, str)),
            required=parameter.default is parameter.empty,
            example=next((each[name] for each in email.samples.values() if name in each), None),
        )
        for name, parameter in inspect.signature(email.compose).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }


def _kind(takes: Any) -> Any:
    """The type as which a cell is read for an argument that takes this; None if there is none."""
    is_union = get_origin(takes) in (Union, types.UnionType)
    members = {*get_args(takes)} - {type(None)} if is_union else {takes}
    if str in members:
        return str
    [only, *others] = members
    return only if not others and only in _READERS else None


def column_problems(
    email: Email, arguments: Mapping[str, Argument], columns: tuple[str, ...]
) -> list[str]:
    """What is wrong with these columns for the email, and what to do about it."""
    there = ", ".join(name for name, each in arguments.items() if each.kind)
    problems = [
        f"there is no column {name!r}, which {email.name} needs; add it"
        for name, each in arguments.items()
        if each.required and each.kind and name not in columns
    ]
    problems += [
        f"{email.name} needs {name}, which a CSV cannot hold; queue it from a command of your own"
        for name, each in arguments.items()
        if each.required and not each.kind
    ]
    for name in dict.fromkeys(columns):
        if columns.count(name) > 1:
            problems.append(f"the column {name!r} is there {columns.count(name)} times; keep one")
        if name not in arguments:
            problems.append(
                f"{email.name} takes no {name!r}; remove the column, or rename it ({there})"
            )
        elif not arguments[name].required and not arguments[name].kind:
            problems.append(f"a CSV cannot hold {name!r} of {email.name}; remove the column")
    return problems


def read_cells(arguments: Mapping[str, Argument], cells: Mapping[str, str]) -> dict[str, Any]:
    """The values of one row's cells. An empty one leaves its argument out.

    Raises `ValueError` if that one is needed, or a cell holds something else than it must.
    """
    if empty := [name for name, text in cells.items() if not text and arguments[name].required]:
        raise ValueError(f"{' and '.join(empty)} must not be empty")
    return {name: arguments[name].read(text) for name, text in cells.items() if text}
