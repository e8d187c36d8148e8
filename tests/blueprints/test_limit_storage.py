"""Where rate limits are counted while Redis answers, while it does not, and afterwards."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from blueprints import limit_storage
from blueprints.limit_storage import ForgivingStorage
from config import REDIS_TIMEOUTS
from tools.servers import Valkey


@pytest.fixture
def redis(valkey: Valkey) -> Iterator[Redis]:
    """An empty database of the shared server."""
    with Redis.from_url(valkey.url.removesuffix("0") + "8") as client:
        client.flushdb()
        yield client


@pytest.fixture
def storage(valkey: Valkey, redis: Redis) -> ForgivingStorage:
    """A storage on that database."""
    return ForgivingStorage(f"forgiving+{valkey.url.removesuffix('0')}8", **REDIS_TIMEOUTS)


def test_a_frozen_redis_is_an_error_to_nobody_and_counts_again_afterwards(
    storage: ForgivingStorage,
    valkey: Valkey,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(limit_storage, "PAUSE", 0.0)
    assert [storage.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    with valkey.frozen(), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: storage.incr("a", 60), range(8)))  # raises what any of them raises
        assert 0 < storage.get("a") <= 8
        assert storage.get_expiry("a") > 0
    assert storage.incr("a", 60) in (4, 5)  # one that had been sent may count after all
    said = [record.message.partition(":")[0] for record in caplog.records]
    assert said == ["rate_limits_alone", "rate_limits_shared"]


def test_while_redis_is_away_requests_do_not_wait_for_it(
    storage: ForgivingStorage, valkey: Valkey, redis: Redis
):
    with valkey.frozen():
        storage.incr("a", 60)
    assert [storage.incr("a", 60) for _ in range(3)] == [2, 3, 4]
    assert redis.dbsize() == 0
