"""What was accepted: one line of JSON an email in an append-only file, on disk before the answer.

The file is the only source. Idempotency keys are read back from it at start, so both survive a
SIGKILL; a request cut off in mid-write was never answered and is cut away.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ReceivedEmail:
    """One email as its readers would get it. `payload` is the vendor's JSON it came from.

    `metadata` is what the vendor's events give back: custom_args, tags, or the external id.
    """

    id: str
    sender: str
    to: Sequence[str]
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    subject: str = ""
    html: str = ""
    text: str = ""
    headers: Mapping[str, str]
    attachments: Sequence[str] = ()
    metadata: Mapping[str, str]
    payload: Any


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The emails of one request. `key_lifetime` is in seconds."""

    provider: str
    key: str | None
    key_lifetime: int
    body_sha256: str
    emails: Sequence[ReceivedEmail]


@dataclass(frozen=True)
class Accepted:
    """The ids of a submission, in order; of the first one if `replayed`."""

    ids: tuple[str, ...]
    replayed: bool


class KeyReused(Exception):
    """The key belongs to a request with another body."""


@dataclass(frozen=True, slots=True)
class _Line:
    seq: int
    start: int
    end: int
    provider: str
    recipients: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Keyed:
    at: float
    body_sha256: str
    ids: tuple[str, ...]
    end: int


class Ledger:
    """The log at `path`, for any number of threads of one process.

    Without `durable` it does not wait for the disk; without `honour_keys` every request is new.
    `on_accept` is called with each submission that is no replay, once it is on disk.
    Raises `ValueError` when the file holds a line that is not a record.
    """

    def __init__(
        self,
        path: Path,
        *,
        durable: bool = True,
        honour_keys: bool = True,
        on_accept: Callable[[Submission], None] | None = None,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._durable, self._honour_keys = durable, honour_keys
        self._on_accept = on_accept
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._forget()
        self._load(path)

    def accept(self, submission: Submission) -> Accepted:
        """Write the emails down and return once they are on disk, or replay an earlier one.

        Raises `KeyReused`, and `OSError` when nothing could be written.
        """
        with self._writing:
            earlier = self._find(submission)
            keyed = earlier or self._append(submission)
        self._sync(keyed.end)
        if self._on_accept and not earlier:
            self._on_accept(submission)
        return Accepted(keyed.ids, replayed=earlier is not None)

    @contextmanager
    def hold(self, provider: str, key: str | None) -> Iterator[bool]:
        """Mark `key` as being answered. Yields False if another request already holds it."""
        if not (key and self._honour_keys):
            yield True
            return
        with self._writing:
            alone = (provider, key) not in self._held
            self._held.add((provider, key))
        try:
            yield alone
        finally:
            if alone:
                with self._writing:
                    self._held.discard((provider, key))

    def count(self, provider: str = "") -> int:
        """How many emails were accepted, by all or by one provider."""
        with self._writing:
            return sum(provider in ("", line.provider) for line in self._lines)

    def records(
        self,
        provider: str = "",
        recipient: str = "",
        since: int = 0,
        before: int = 0,
        newest: int = 0,
    ) -> list[bytes]:
        """The lines that match, oldest first.

        Those with `since` < seq < `before`, and of these the `newest` ones; 0 for no limit.
        """
        recipient = recipient.lower()
        with self._writing:
            matches = [
                line
                for line in self._lines[since : before - 1 if before else None]
                if provider in ("", line.provider)
                and (not recipient or recipient in line.recipients)
            ]
            return [
                os.pread(self._file, line.end - line.start, line.start)
                for line in matches[-newest:]
            ]

    def clear(self) -> None:
        """Forget every email and every key, on disk too."""
        with self._syncing, self._writing:
            os.ftruncate(self._file, 0)
            self._forget()

    def close(self) -> None:
        os.close(self._file)

    def _forget(self) -> None:
        self._lines: list[_Line] = []
        self._keys: dict[tuple[str, str], _Keyed] = {}
        self._held: set[tuple[str, str]] = set()
        self._written = self._synced = 0

    def _find(self, submission: Submission) -> _Keyed | None:
        if not (submission.key and self._honour_keys):
            return None
        keyed = self._keys.get((submission.provider, submission.key))
        if keyed is None or keyed.at + submission.key_lifetime < time.time():
            return None
        if keyed.body_sha256 != submission.body_sha256:
            raise KeyReused
        return keyed

    def _append(self, submission: Submission) -> _Keyed:
        seq = len(self._lines)
        parts = range(1, len(submission.emails) + 1)
        records = [_record(submission, part, seq + part) for part in parts]
        lines = [json.dumps(record).encode() + b"\n" for record in records]
        self._write(b"".join(lines))
        return self._remember(records, [len(line) for line in lines])

    def _write(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._written)  # a full disk leaves half a line
            raise

    def _remember(self, records: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> _Keyed:
        for record, size in zip(records, sizes, strict=True):
            start, self._written = self._written, self._written + size
            people = frozenset(address.lower() for address in record["recipients"])
            line = _Line(record["seq"], start, self._written, record["provider"], people)
            self._lines.append(line)
        head = records[0]
        at = datetime.fromisoformat(head["at"]).timestamp()
        ids = tuple(record["id"] for record in records)
        keyed = _Keyed(at, head["body_sha256"], ids, self._written)
        if head["idempotency_key"]:
            self._keys[head["provider"], head["idempotency_key"]] = keyed
        return keyed

    def _sync(self, end: int) -> None:
        # Whoever comes first syncs for all that wrote meanwhile: one fsync serves many requests.
        if not self._durable:
            return
        with self._syncing:
            if self._synced < end:
                with self._writing:
                    written = self._written
                os.fsync(self._file)
                self._synced = written

    def _load(self, path: Path) -> None:
        records: list[dict[str, Any]] = []
        sizes: list[int] = []
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break
                records.append(_parse(line, path, number))
                sizes.append(len(line))
                if records[-1]["part"] == records[-1]["parts"]:
                    self._remember(records, sizes)
                    records, sizes = [], []
        os.ftruncate(self._file, self._written)


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
        record["part"], record["parts"]
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{path}, line {number} is no record; move the file away") from None
    return dict(record)


def _record(submission: Submission, part: int, seq: int) -> dict[str, Any]:
    email = submission.emails[part - 1]
    return {
        "seq": seq,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "provider": submission.provider,
        "id": email.id,
        "idempotency_key": submission.key,
        "part": part,
        "parts": len(submission.emails),
        "from": email.sender,
        "to": list(email.to),
        "cc": list(email.cc),
        "bcc": list(email.bcc),
        "recipients": [*email.to, *email.cc, *email.bcc],
        "reply_to": list(email.reply_to),
        "subject": email.subject,
        "html": email.html,
        "text": email.text,
        "headers": dict(email.headers),
        "attachments": list(email.attachments),
        "metadata": dict(email.metadata),
        "body_sha256": submission.body_sha256,
        "payload": email.payload,
    }
