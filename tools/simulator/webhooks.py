"""The vendors' webhooks: every accepted email is reported to the app, vendor by vendor."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tools.simulator import resend_events, sendgrid_events, sequenzy_events
from tools.simulator.channel import Channel, Manner
from tools.simulator.history import History, Post, PostAttempt
from tools.simulator.ledger import Submission
from tools.simulator.webhook_secrets import Secrets

VENDORS = (sequenzy_events.VENDOR, resend_events.VENDOR, sendgrid_events.VENDOR)
MAX_REPLAYED = 100_000  # events


class TooMany(Exception):
    """A replay of more events than fit into memory."""


class Webhooks:
    """Reports what was accepted to `url`/<provider>; to nobody if `url` is empty."""

    def __init__(self, url: str = "", secrets: Secrets | None = None, manner: Manner | None = None):
        secrets, manner = secrets or Secrets(), manner or Manner()
        self.url = url
        self._history = History()
        self._random = random.Random(manner.seed)  # noqa: S311  repeatable
        self._channels = {
            vendor.name: Channel(vendor, f"{url}/{vendor.name}", secrets, manner, self._history)
            for vendor in (VENDORS if url else ())
        }

    def start(self) -> None:
        """Begin to post, in threads that end with the process."""
        for channel in self._channels.values():
            channel.start()

    def report(self, submission: Submission) -> None:
        """Queue every event of emails that were accepted just now."""
        channel = self._channels.get(submission.provider)
        if channel:
            at = datetime.now(UTC)
            emails = submission.emails
            channel.add([event for email in emails for event in channel.vendor.plan(email, at)])

    def replay(self, times: int) -> int:
        """Queue every post so far `times` times, in random order; how many events these are.

        Raises `TooMany`, and queues nothing then.
        """
        posts = self._history.posts()
        events = times * sum(len(post.events) for post in posts)
        if events > MAX_REPLAYED:
            raise TooMany(f"{events} events; a replay has at most {MAX_REPLAYED}")
        posts *= times
        self._random.shuffle(posts)
        by_provider: dict[str, list[Post]] = defaultdict(list)
        for post in posts:
            by_provider[post.provider].append(post)
        for provider, own in by_provider.items():
            self._channels[provider].replay(own)
        return events

    def as_json(self, since: int) -> dict[str, Any]:
        """Where to, how many events wait and were lost for want of room, and every attempt but the
        first `since`.
        """
        # Counted first: if none waits, no attempt is missing.
        counts = [channel.counts() for channel in self._channels.values()]
        return {
            "url": self.url,
            "waiting": sum(waiting for waiting, _ in counts),
            "lost": sum(lost for _, lost in counts),
            "attempts": [attempt.as_json() for attempt in self._history.attempts()[since:]],
        }

    def last_attempts(self) -> Mapping[tuple[str, str], Sequence[PostAttempt]]:
        """By provider and id of the email: the last attempt of each event, in the first's order."""
        last: dict[tuple[str, str], dict[str, PostAttempt]] = defaultdict(dict)
        for attempt in self._history.attempts():
            last[attempt.provider, attempt.email_id][attempt.event_id] = attempt
        return {key: list(attempts.values()) for key, attempts in last.items()}

    def clear(self) -> None:
        """Forget what waits and what was posted."""
        for channel in self._channels.values():
            channel.clear()
        self._history.clear()
