"""What a check comes to: one line of the checklist."""

from collections.abc import Iterable
from enum import StrEnum

from attrs import frozen


class Verdict(StrEnum):
    """Only a problem makes the doctor's exit code 1."""

    OK = "ok"
    HINT = "hint"  # worth knowing, and nothing that must change
    PROBLEM = "problem"
    SKIPPED = "skipped"  # it could not be checked, or another line says why it would fail


@frozen
class Check:
    """One line. `name` says what was checked and is the same in every run."""

    name: str
    verdict: Verdict
    words: str
    remedy: str = ""


def ok(name: str, words: str = "") -> Check:
    return Check(name, Verdict.OK, words)


def hint(name: str, words: str, remedy: str) -> Check:
    return Check(name, Verdict.HINT, words, remedy)


def problem(name: str, words: str, remedy: str) -> Check:
    return Check(name, Verdict.PROBLEM, words, remedy)


def skipped(name: str, reason: str) -> Check:
    return Check(name, Verdict.SKIPPED, reason)


def problems(checks: Iterable[Check]) -> list[Check]:
    """The findings among `checks`."""
    return [check for check in checks if check.verdict is Verdict.PROBLEM]
