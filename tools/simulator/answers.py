"""How the requests were answered, by vendor and status."""

import threading
from collections import Counter
from collections.abc import Sequence

NO_ANSWER = "none"


class Answers:
    """How many answers of each status a vendor gave since the start or `clear`.

    A request whose connection was closed without one counts as `NO_ANSWER`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def note(self, provider: str, status: int | None) -> None:
        with self._lock:
            self._counts[provider, str(status or NO_ANSWER)] += 1

    def by_provider(self, providers: Sequence[str]) -> dict[str, dict[str, int]]:
        """`{"resend": {"200": 5, "429": 1}}`."""
        with self._lock:
            counts = dict(self._counts)
        return {
            provider: {status: count for (who, status), count in counts.items() if who == provider}
            for provider in providers
        }

    def count(self, status: str, provider: str = "") -> int:
        """Of all vendors, or of one."""
        with self._lock:
            return sum(
                count
                for (who, answered), count in self._counts.items()
                if answered == status and provider in ("", who)
            )

    def clear(self) -> None:
        with self._lock:
            self._counts: Counter[tuple[str, str]] = Counter()
