"""One moment for all signatures here, for ours and for the vendors' libraries."""

import time
from datetime import UTC, datetime, tzinfo

import pytest
import standardwebhooks.webhooks

NOW = 1_750_000_000


class FrozenDatetime(datetime):
    """`datetime` as Svix's library uses it."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "FrozenDatetime":
        return cls.fromtimestamp(NOW, tz or UTC)


@pytest.fixture(autouse=True)
def _frozen_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: float(NOW))
    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", FrozenDatetime)


def with_digits_from(zero: str, text: str | int) -> str:
    """The digits of `text` in another alphabet."""
    return str(text).translate({ord("0") + digit: ord(zero) + digit for digit in range(10)})


ARABIC, FULL_WIDTH = "\u0660", "\uff10"
