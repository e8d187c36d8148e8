"""Requests at a rate, or at full speed, and how long each was under way."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from attrs import field, frozen

ACCEPTED = 202

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Ask = Callable[[bytes], Coroutine[Any, Any, None]]


@frozen
class Answers:
    """The seconds that each accepted request took, and how many were answered otherwise."""

    times: list[float] = field(factory=list)
    statuses: list[int] = field(factory=list)

    def percentile(self, share: float) -> float:
        """The time within which that share was answered; not a number if none was."""
        ordered = sorted(self.times)
        return ordered[math.ceil(len(ordered) * share) - 1] if ordered else math.nan

    @property
    def refused(self) -> int:
        return sum(status != ACCEPTED for status in self.statuses)


class Clients:
    """Kept-alive connections to one port, as many as are needed at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[Connection] = []

    async def ask(self, request: bytes) -> int:
        """Send the request; the status of the answer."""
        while self._free:
            try:
                return await self._exchange(self._free.pop(), request)
            except (asyncio.IncompleteReadError, ConnectionError):
                continue  # the server had closed it
        return await self._exchange(await self._connect(), request)

    def close(self) -> None:
        for _, writer in self._free:
            writer.close()

    async def _connect(self) -> Connection:
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def _exchange(self, connection: Connection, request: bytes) -> int:
        reader, writer = connection
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, _, length = head.partition(b"content-length: ")
        await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
        if b"connection: close" in head:
            writer.close()
        else:
            self._free.append(connection)
        return int(head.split(b" ", 2)[1])


def at_rate(port: int, requests: Sequence[bytes], per_second: float) -> Answers:
    """Send each when it is due, however late the answers are."""

    async def send(ask: Ask) -> None:
        began = time.perf_counter()
        sent = []
        for number, request in enumerate(requests):
            await asyncio.sleep(began + number / per_second - time.perf_counter())
            sent.append(asyncio.create_task(ask(request)))
        await asyncio.gather(*sent)

    return asyncio.run(_measure(port, send))


def at_full_speed(port: int, request: bytes, clients: int, seconds: float) -> Answers:
    """So many clients, each of which sends again as soon as it is answered."""

    async def send(ask: Ask) -> None:
        end = time.perf_counter() + seconds

        async def client() -> None:
            while time.perf_counter() < end:
                await ask(request)

        await asyncio.gather(*(client() for _ in range(clients)))

    return asyncio.run(_measure(port, send))


async def _measure(port: int, send: Callable[[Ask], Coroutine[Any, Any, None]]) -> Answers:
    clients, answers = Clients(port), Answers()

    async def ask(request: bytes) -> None:
        began = time.perf_counter()
        status = await clients.ask(request)
        answers.statuses.append(status)
        if status == ACCEPTED:
            answers.times.append(time.perf_counter() - began)

    await send(ask)
    clients.close()
    return answers
