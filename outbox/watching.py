"""Waiting for what becomes of some rows: a Celery task returns when its own are settled."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from attrs import define, field

from outbox.states import MOVES
from outbox.tables import State

REMEMBERED = 10_000  # rows settled of late, so that a late task need not ask the database
_FINAL = [state for state in State if not MOVES[state]]


@define(eq=False)
class Watch:
    """Some rows that somebody waits for, and the words for those that are known by now."""

    waiting: set[str]
    known: dict[str, str] = field(factory=dict)


@define
class Watches:
    """Who waits for which rows of this process."""

    _watches: list[Watch] = field(factory=list)
    _settled: OrderedDict[str, str] = field(factory=OrderedDict)
    _changed: threading.Condition = field(factory=threading.Condition)
    _closed: bool = False

    def begin(self, ids: Iterable[str]) -> Watch:
        """Watch these rows; those that were settled just now are known at once."""
        watch = Watch(set(ids))
        with self._changed:
            self._tell(watch, {each: self._settled[each] for each in ids if each in self._settled})
            if watch.waiting:
                self._watches.append(watch)
        return watch

    def wait(self, watch: Watch, seconds: float) -> dict[str, int]:
        """Wait until all are known, so many `seconds` at most; how many became what."""
        ends = time.monotonic() + seconds
        with self._changed:
            while watch.waiting and not self._closed and (left := ends - time.monotonic()) > 0:
                self._changed.wait(left)
            if watch in self._watches:
                self._watches.remove(watch)
            words = [*watch.known.values(), *("waiting" for _ in watch.waiting)]
        return {word: words.count(word) for word in sorted(set(words))}

    def settled(self, words: Mapping[str, str]) -> None:
        """These rows became that; a row that is queued again counts as waiting."""
        with self._changed:
            for row_id, word in words.items():
                if word in _FINAL:
                    self._settled[row_id] = word
            while len(self._settled) > REMEMBERED:
                self._settled.popitem(last=False)
            if self._watches:
                for watch in [*self._watches]:
                    self._tell(watch, words)
                self._changed.notify_all()

    def unknown(self, in_hand: set[str]) -> set[str]:
        """Watched rows that this process does not hold."""
        with self._changed:
            return {each for watch in self._watches for each in watch.waiting} - in_hand

    def close(self) -> None:
        """Nothing more will become known here."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _tell(self, watch: Watch, words: Mapping[str, str]) -> None:
        for row_id in watch.waiting & words.keys():
            watch.known[row_id] = "waiting" if words[row_id] == State.QUEUED else words[row_id]
        watch.waiting -= words.keys()
        if not watch.waiting and watch in self._watches:
            self._watches.remove(watch)
