"""From a request to what is done with it: routes, misbehaviour, and the simulator's own pages."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tools.simulator import (
    page,
    resend,
    resend_contacts,
    sendgrid,
    sendgrid_contacts,
    sequenzy,
    sequenzy_contacts,
)
from tools.simulator.answers import Answers
from tools.simulator.contacts import Books, first_address
from tools.simulator.exchange import Dialect, Refused, Reply, Request, Route, json_reply
from tools.simulator.ledger import Ledger
from tools.simulator.misbehaviour import Behaviour, Ending, Misbehaviour, gateway_reply
from tools.simulator.rates import Rates
from tools.simulator.webhooks import TooMany, Webhooks

DIALECTS = (sequenzy.DIALECT, resend.DIALECT, sendgrid.DIALECT)
NAMES = tuple(dialect.name for dialect in DIALECTS)
CONTACTS = {
    "sequenzy": sequenzy_contacts.ROUTES,
    "resend": resend_contacts.ROUTES,
    "sendgrid": sendgrid_contacts.ROUTES,
}

_ON_PAGE = 50  # emails


@dataclass(frozen=True)
class Application:
    """Answers requests. `wait` sleeps for some seconds, less if the client leaves."""

    ledger: Ledger
    misbehaviour: Misbehaviour
    books: Books = field(default_factory=Books)
    webhooks: Webhooks = field(default_factory=Webhooks)
    rates: Rates = field(default_factory=Rates)
    answers: Answers = field(default_factory=Answers)

    def respond(self, request: Request, wait: Callable[[float], None]) -> tuple[Reply, Ending]:
        """The answer, and how it ends. What it accepts is on disk when this returns."""
        own = self._own_page(request)
        if own:
            return own, "answer"
        try:
            dialect, route = self._find(request)
        except Refused as refused:
            return refused.reply, "answer"
        reply, ending = self._answer(request, dialect, route, wait)
        self.answers.note(dialect.name, None if ending == "drop" else reply.status)
        return reply, ending

    def _answer(
        self, request: Request, dialect: Dialect, route: Route, wait: Callable[[float], None]
    ) -> tuple[Reply, Ending]:
        told: Mapping[str, str] = {}
        try:
            dialect.authenticate(request)
            told = self._take_room(request, dialect)
            reply, ending = self._treat(request, dialect, route, wait)
        except Refused as refused:
            reply, ending = refused.reply, "answer"
        return replace(reply, headers={**told, **reply.headers}), ending

    def _take_room(self, request: Request, dialect: Dialect) -> Mapping[str, str]:
        """What the answer tells of the rate. Raises `Refused` if this is one request too many."""
        room = self.rates.take(dialect.name, request.bearer, dialect.windows)
        told = dialect.rate_headers(room)
        if room.wait:
            reply = dialect.refusal("429")
            raise Refused(replace(reply, headers={**reply.headers, **told}))
        return told

    def _treat(
        self, request: Request, dialect: Dialect, route: Route, wait: Callable[[float], None]
    ) -> tuple[Reply, Ending]:
        recipients = [*dialect.first_recipients(request.json), first_address(request)]
        behaviour = self.misbehaviour.choose(dialect.name, recipients)
        key = request.idempotency_key if dialect.one_at_a_time else None
        # The key is free again before the last byte leaves, so that a client may use it at once.
        with self.ledger.hold(dialect.name, key) as alone:
            if not alone:
                raise Refused(dialect.refusal("concurrent"))
            reply = self._reply(request, dialect, route, behaviour)
            wait(behaviour.delay)
        return reply, behaviour.ending

    def _reply(
        self, request: Request, dialect: Dialect, route: Route, behaviour: Behaviour
    ) -> Reply:
        if behaviour.instead:
            return gateway_reply(behaviour.instead) or dialect.refusal(behaviour.instead)
        if not behaviour.accepts:
            return dialect.refusal("503")  # never sent: the connection is dropped
        try:
            reply = route(request, self.ledger)
        except OSError:
            return dialect.refusal("503")  # a full disk; nothing was accepted
        return behaviour.alter(reply) if behaviour.alter else reply

    def _own_page(self, request: Request) -> Reply | None:
        own = {
            ("GET", "/"): self._page,
            ("GET", "/log.json"): self._log,
            ("GET", "/answers.json"): self._answers,
            ("GET", "/subscribers.json"): lambda _: json_reply(200, self.books.view()),
            ("DELETE", "/log"): self._clear,
            ("GET", "/webhooks.json"): self._webhooks,
            ("POST", "/webhooks/replay"): self._replay,
        }
        show = own.get((request.method, request.path))
        return show(request) if show else None

    def _page(self, request: Request) -> Reply:
        provider = request.query.get("provider", "")
        provider = provider if provider in NAMES else ""
        before = _number(request, "before")
        # One more than is shown tells whether there are older ones.
        lines = self.ledger.records(provider=provider, before=before, newest=_ON_PAGE + 1)
        newest = [json.loads(line) for line in reversed(lines)]
        view = page.View(
            records=newest[:_ON_PAGE],
            total=self.ledger.count(provider),
            older=len(newest) > _ON_PAGE,
            provider=provider,
            providers=NAMES,
            too_many=self.answers.count("429", provider),
            attempts=self.webhooks.last_attempts(),
        )
        return page.show(view)

    def _log(self, request: Request) -> Reply:
        lines = self.ledger.records(
            provider=request.query.get("provider", ""),
            recipient=request.query.get("recipient", ""),
            since=_number(request, "since"),
        )
        headers = {"Content-Type": "application/json"}
        return Reply(status=200, headers=headers, body=b"[" + b",".join(lines) + b"]")

    def _clear(self, _: Request) -> Reply:
        self.ledger.clear()
        self.books.clear()
        self.misbehaviour.forget()
        self.webhooks.clear()
        self.rates.clear()
        self.answers.clear()
        return json_reply(200, [])

    def _answers(self, _: Request) -> Reply:
        return json_reply(200, self.answers.by_provider(NAMES))

    def _webhooks(self, request: Request) -> Reply:
        return json_reply(200, self.webhooks.as_json(_number(request, "since")))

    def _replay(self, request: Request) -> Reply:
        try:
            return json_reply(202, {"queued": self.webhooks.replay(_number(request, "times") or 1)})
        except TooMany as error:
            return json_reply(400, {"error": str(error)})

    def _find(self, request: Request) -> tuple[Dialect, Route]:
        """The function for a method and path. Raises `Refused` with that vendor's 404 or 405."""
        for dialect in DIALECTS:
            if not re.match(dialect.paths, request.path):
                continue
            methods = {
                method: route
                for (method, pattern), route in dialect.routes.items()
                if re.fullmatch(pattern, request.path)
            }
            methods |= self.books.routes(dialect.name, CONTACTS[dialect.name], request.path)
            if request.method in methods:
                return dialect, methods[request.method]
            raise Refused(dialect.refusal("405" if methods else "404"))
        raise Refused(json_reply(404, {"error": f"the simulator has no {request.path}"}))


def _number(request: Request, name: str) -> int:
    value = request.query.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else 0
