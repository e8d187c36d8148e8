"""A DNS server on loopback that knows one small zone and nobody else's."""

import threading
from collections.abc import Iterable
from socketserver import BaseRequestHandler, ThreadingUDPServer
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], list[str]]


def text(value: str) -> str:
    """A TXT record as zone files have it, in parts of 255 characters at most."""
    parts = [value[start : start + 255] for start in range(0, len(value), 255)]
    return " ".join(f'"{part}"' for part in parts)


class NameServer(ThreadingUDPServer):
    """Answers from `zone`, a name and a type to values; everything else does not exist.

    It fails (SERVFAIL) over the names in `failing`. `asked` are the questions in order.
    """

    daemon_threads = True

    def __init__(self, zone: Zone) -> None:
        super().__init__(("127.0.0.1", 0), _Question)
        self.zone = zone
        self.failing: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        [question] = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name in self.failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply
        if not self._exists(name):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        for owner, record_kind in self._chain(name, kind):
            records: Iterable[str] = self.zone[owner, record_kind]
            reply.answer.append(
                dns.rrset.from_text(f"{owner}.", 60, "IN", record_kind, *records),
            )
        return reply

    def _exists(self, name: str) -> bool:
        return any(owner == name or owner.endswith(f".{name}") for owner, _ in self.zone)

    def _chain(self, name: str, kind: str) -> Iterable[tuple[str, str]]:
        while (name, "CNAME") in self.zone and kind != "CNAME":
            yield name, "CNAME"
            [target] = self.zone[name, "CNAME"]
            name = target.rstrip(".")
        if (name, kind) in self.zone:
            yield name, kind


class _Question(BaseRequestHandler):
    server: NameServer

    def handle(self) -> None:
        wire, socket = self.request
        reply = self.server.answer(dns.message.from_wire(wire))
        socket.sendto(reply.to_wire(), self.client_address)
