"""Sequenzy's subscribers (docs.sequenzy.com, and its SDK where they are silent)."""

from errors import InvalidMessage, ProviderUnavailable
from providers.base import Answer, without_empty
from providers.changes import AddTag, RecordEvent, RemoveTag, Subscribe, Unsubscribe
from providers.subscribers import Subscribers, path_segment


class SequenzySubscribers(Subscribers):
    """Sequenzy has all five. Its default lists and sequences apply to whoever is new."""

    def subscribe(self, change: Subscribe) -> str | None:
        names = {"firstName": change.first_name, "lastName": change.last_name}
        attributes, tags = dict(change.attributes), list(change.tags)
        profile = without_empty({**names, "customAttributes": attributes})
        # Sequenzy's SDK: the default strategy `skip` leaves an existing subscriber, with a yes.
        fields = without_empty({"email": change.email, **profile, "tags": tags})
        answer = self.send("POST", "/subscribers", {**fields, "duplicateStrategy": "merge"})
        if _created(answer):
            return "waits for confirmation (double opt-in)" if answer.get("optIn") else None
        # "merge" only fills gaps, and "overwrite" would take away what is not named here.
        # Sequenzy's SDK: a PATCH replaces customAttributes unless their strategy is `merge`.
        if profile:
            strategy = {"customAttributesStrategy": "merge"} if attributes else {}
            self.send("PATCH", _subscriber(change.email), profile | strategy)
        if tags:
            self.send("POST", "/subscribers/tags/bulk", {"email": change.email, "tags": tags})
        return None

    def add_tag(self, change: AddTag) -> None:
        self.send("POST", "/subscribers/tags", {"email": change.email, "tag": change.tag})

    def remove_tag(self, change: RemoveTag) -> None:
        # Not `/subscribers/tags/remove`, which makes a subscriber of an address it does not know.
        fields = {"emails": [change.email], "tags": [change.tag]}
        try:
            self.send("POST", "/subscribers/bulk/tags/remove", fields)
        except InvalidMessage as error:
            if error.status >= 300:
                raise
            # A yes without success: the request is good, but this subscriber was not updated.
            raise ProviderUnavailable(str(error), error.status, provider=self._name) from error

    def record_event(self, change: RecordEvent, key: str) -> str | None:
        # Sequenzy's SDK: `eventId` is its idempotency key. Without `occurredAt`, for an event
        # older than an hour is history and starts no sequence.
        fields = {
            "email": change.email,
            "event": change.event,
            "eventId": key,
            "properties": dict(change.properties),
        }
        answer = self.send("POST", "/subscribers/events", without_empty(fields))
        failures = answer.get("sideEffectFailures")
        # A repeat would change nothing: the event itself is recorded.
        return f"recorded, but this failed at Sequenzy: {failures}" if failures else None

    def unsubscribe(self, change: Unsubscribe) -> None:
        path, status = _subscriber(change.email), {"status": "unsubscribed"}
        if self.send_to_existing("PATCH", path, status):
            return
        fields = {"email": change.email, **status, "lists": [], "enrollInSequences": False}
        if not _created(self.send("POST", "/subscribers", fields)):
            self.send("PATCH", path, status)  # it came to be in between


def _subscriber(email: str) -> str:
    return f"/subscribers/{path_segment(email)}"


def _created(answer: Answer) -> bool:
    return answer.get("subscriber", "created") is True
