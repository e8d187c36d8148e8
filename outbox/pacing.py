"""How many calls a provider's rate allows now: GCRA, one time a provider, shared by all processes.

`ProviderState.next_at` is the time from which on a whole burst may go out again: each call moves it
by one interval, and no call goes out while it is too far ahead.
"""

from datetime import datetime, timedelta

from setting_types import Rate

UNLIMITED = 1_000_000  # calls; for a provider without a rate


def permits(rate: Rate | None, next_at: datetime | None, moment: datetime) -> int:
    """How many calls may go out at `moment`."""
    if rate is None:
        return 0 if next_at and next_at > moment else UNLIMITED
    ahead = (_full_at(next_at, moment) - moment).total_seconds()
    # A hair more, because times are kept in whole microseconds.
    return max(0, int((rate.burst * rate.interval - ahead + 1e-5) / rate.interval))


def after_calls(rate: Rate, next_at: datetime | None, moment: datetime, calls: int) -> datetime:
    """`next_at` once so many calls were taken."""
    return _full_at(next_at, moment) + timedelta(seconds=calls * rate.interval)


def after_wait(rate: Rate | None, next_at: datetime | None, asked_until: datetime) -> datetime:
    """`next_at` when the provider asks everybody to wait; never earlier than it was.

    Then one call goes out, and no burst.
    """
    full_at = asked_until + _all_but_one(rate)
    return max(full_at, next_at) if next_at else full_at


def opens_at(rate: Rate | None, next_at: datetime) -> datetime:
    """When the next call may go out."""
    return next_at - _all_but_one(rate)


def _all_but_one(rate: Rate | None) -> timedelta:
    """How long it takes until all of a burst but one call may go out again."""
    return timedelta(seconds=(rate.burst - 1) * rate.interval if rate else 0.0)


def _full_at(next_at: datetime | None, moment: datetime) -> datetime:
    return max(next_at, moment) if next_at else moment
