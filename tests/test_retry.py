"""Delays and the retry in the foreground, without waiting for any of them."""

import pytest

from errors import EmailSendError, InvalidMessage, ProviderUnavailable, RateLimited
from retry import LONGEST_FOREGROUND_WAIT, backoff, with_retry


class Provider:
    """Raises `errors` one after the other, then answers; counts its calls."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "sent"


def unavailable(times: int) -> list[EmailSendError]:
    return [ProviderUnavailable(f"try {n}", 503) for n in range(times)]


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600), (10_000, 3600)]
)
def test_delays_double_up_to_an_hour_and_spread_over_the_upper_half(attempt: int, longest: float):
    delays = [backoff(attempt) for _ in range(200)]
    assert all(longest / 2 <= delay <= longest for delay in delays)
    assert max(delays) - min(delays) > longest / 4


def test_twenty_attempts_end_inside_the_key_window_of_resend(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    hours = sum(backoff(attempt) for attempt in range(1, 21)) / 3600
    assert hours == pytest.approx(11.4, abs=0.05)


def test_a_call_that_recovers_gives_its_answer():
    waits: list[float] = []
    provider = Provider(*unavailable(3))
    assert with_retry(provider, sleep=waits.append) == "sent"
    assert provider.calls == 4
    assert [0.5 <= waits[0] <= 1, 1 <= waits[1] <= 2, 2 <= waits[2] <= 4] == [True] * 3


@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (1, 2), (3, 4), (12, 13)])
def test_after_the_last_retry_the_last_error_comes_out(retries: int, calls: int):
    provider = Provider(*unavailable(20))
    with pytest.raises(ProviderUnavailable, match=f"try {retries}"):
        with_retry(provider, max_retries=retries, sleep=lambda _seconds: None)
    assert provider.calls == calls


@pytest.mark.parametrize("error", [InvalidMessage("bad", 422), EmailSendError("no"), OSError("x")])
def test_what_would_fail_again_is_not_tried_again(error: Exception):
    provider = Provider(error)
    with pytest.raises(type(error)):
        with_retry(provider, sleep=lambda _seconds: pytest.fail("it waited"))
    assert provider.calls == 1


def test_the_wait_that_the_provider_asks_for_is_kept():
    waits: list[float] = []
    provider = Provider(RateLimited("slow down", 429, retry_after=LONGEST_FOREGROUND_WAIT))
    assert with_retry(provider, sleep=waits.append) == "sent"
    assert waits == [LONGEST_FOREGROUND_WAIT]


def test_a_caller_is_not_kept_longer_than_half_a_minute():
    provider = Provider(RateLimited("slow down", 429, retry_after=LONGEST_FOREGROUND_WAIT + 1))
    with pytest.raises(RateLimited):
        with_retry(provider, sleep=lambda _seconds: pytest.fail("it waited"))
