"""Resend's contacts (its OpenAPI and SDK): a tag is a segment of that name."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from errors import InvalidMessage, ProviderUnavailable
from providers.base import without_empty
from providers.changes import AddTag, RecordEvent, RemoveTag, Subscribe, Unsubscribe, Value
from providers.named_resources import CustomField, NamedResources, ids_by_name, is_number
from providers.subscribers import Call, Subscribers, path_segment

PAGE = 100  # Resend's OpenAPI: the largest `limit` of a list
MAX_PAGES = 100


class ResendSubscribers(Subscribers):
    """Resend recognises no repeated event: one whose answer was lost may start its automation
    twice. Segments and contact properties that are missing are created."""

    def __init__(self, name: str, call: Call) -> None:
        super().__init__(name, call)
        self._segments = NamedResources(self._fetch_segments, self._create_segment)
        self._properties = NamedResources(self._fetch_properties, self._create_property)

    def subscribe(self, change: Subscribe) -> None:
        try:
            self._upsert(change.email, self._profile(change))
        except InvalidMessage:
            if not change.attributes:
                raise
            self._properties.clear()  # one may have been deleted since it was looked up
            self._upsert(change.email, self._profile(change))
        for tag in change.tags:
            self._add_to_segment(change.email, tag)

    def add_tag(self, change: AddTag) -> None:
        self._add_to_segment(change.email, change.tag)

    def remove_tag(self, change: RemoveTag) -> None:
        # 404: the contact is not in it, or is not there at all. So a segment that is gone would
        # not be noticed, nor another that has its name now.
        for segment in self._segments.get([change.tag], fresh=True).get(change.tag, ()):
            self.send_to_existing("DELETE", f"{_contact(change.email)}/segments/{segment}")

    def record_event(self, change: RecordEvent, key: str) -> None:
        properties = dict(change.properties)
        # Resend's OpenAPI: exactly one of email and contact_id.
        fields = {"event": change.event, "email": change.email, "payload": properties}
        self.send("POST", "/events/send", without_empty(fields))

    def unsubscribe(self, change: Unsubscribe) -> None:
        self._upsert(change.email, {"unsubscribed": True})

    def _profile(self, change: Subscribe) -> dict[str, Any]:
        names = {"first_name": change.first_name, "last_name": change.last_name}
        return without_empty({**names, "properties": self._values(change.attributes)})

    def _upsert(self, email: str, fields: Mapping[str, Any]) -> None:
        """Bring the contact up to date, or create it.

        The update comes first, and `unsubscribed` is never false, for nobody says what a second
        creation does to somebody who unsubscribed; it comes again after a creation, which is
        said to succeed without a change where somebody else created the contact in between.
        """
        if self._update(email, fields):
            return
        refusal = None
        try:
            self.send("POST", "/contacts", {"email": email, **fields})
        except InvalidMessage as error:
            refusal = error
        if not self._update(email, fields) and refusal:
            raise refusal

    def _update(self, email: str, fields: Mapping[str, Any]) -> bool:
        """False if there is no such contact."""
        if fields:
            patch = {"email": email, **fields}
            return self.send_to_existing("PATCH", _contact(email), patch) is not None
        return self.send_to_existing("GET", _contact(email)) is not None

    def _add_to_segment(self, email: str, tag: str) -> None:
        if not self._add(email, tag):
            # Either the contact or the segment is not there, and the message may be reworded.
            self._segments.clear()
            self._upsert(email, {})
            if not self._add(email, tag):
                raise ProviderUnavailable(
                    f"{self._name} does not find the contact or the segment that it just had",
                    404,
                    provider=self._name,
                )

    def _add(self, email: str, tag: str) -> bool:
        segment = self._segments.get_or_create({tag: None})[tag][0]
        fields = {"email": email, "segment_id": segment}
        path = f"{_contact(email)}/segments/{segment}"
        return self.send_to_existing("POST", path, fields) is not None

    def _values(self, attributes: Mapping[str, Value]) -> dict[str, Any]:
        # A null clears a value; where there is no such property there is nothing to clear.
        given = {name: value for name, value in attributes.items() if value is not None}
        cleared = attributes.keys() - given.keys()
        properties = self._properties.get(cleared) | self._properties.get_or_create(given)
        return {name: field.convert(name, attributes[name]) for name, field in properties.items()}

    def _fetch_segments(self) -> dict[str, tuple[str, ...]]:
        # Two segments may have one name: the oldest counts for all, so that processes agree.
        segments = list(self._pages("/segments"))
        return ids_by_name(sorted(segments, key=lambda each: str(each.get("created_at"))))

    def _create_segment(self, name: str, _: None) -> tuple[str, ...]:
        return (str(self.send("POST", "/segments", {"name": name}).get("id")),)

    def _fetch_properties(self) -> dict[str, CustomField]:
        return {
            str(each.get("key")): CustomField(str(each.get("key")), each.get("type") == "number")
            for each in self._pages("/contact-properties")
        }

    def _create_property(self, name: str, value: Value) -> CustomField:
        kind = "number" if is_number(value) else "string"
        self.send("POST", "/contact-properties", {"key": name, "type": kind})
        return CustomField(name, is_number(value))

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {"limit": PAGE}
        for _ in range(MAX_PAGES):
            answer = self.send("GET", f"{path}?{urlencode(query)}")
            page = self.objects(answer, "data")
            yield from page
            if not (page and answer.get("has_more")):
                return
            query["after"] = page[-1].get("id")


def _contact(email: str) -> str:
    return f"/contacts/{path_segment(email)}"
