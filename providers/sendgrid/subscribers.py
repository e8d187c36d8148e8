"""SendGrid's marketing contacts (Twilio's OpenAPI): a tag is a list of that name."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from errors import InvalidMessage
from providers.base import without_empty
from providers.changes import AddTag, RecordEvent, RemoveTag, Subscribe, Unsubscribe, Value
from providers.named_resources import CustomField, NamedResources, ids_by_name, is_number
from providers.subscribers import Call, Subscribers, path_segment

PAGE = 100  # lists
MAX_PAGES = 100
MAX_NAME = 50  # Twilio's OpenAPI: characters of a first or last name
OWN_FIELDS = {  # of every contact, besides names and address: these need no definition
    "address_line_1", "address_line_2", "city", "state_province_region", "postal_code", "country",
}  # fmt: skip

_CONTACTS = "/v3/marketing/contacts"
_LISTS = "/v3/marketing/lists"
_FIELDS = "/v3/marketing/field_definitions"


class SendGridSubscribers(Subscribers):
    """SendGrid takes contacts at once and adds them within minutes, in no promised order.

    So a tag that is taken away right after it was given may stay: the contact is not found yet,
    which the note says. Lists and custom fields that are missing are created.
    """

    lacks: ClassVar = {
        RecordEvent: "it has no events; a tag is a list, and a list can start an automation there"
    }

    def __init__(self, name: str, call: Call) -> None:
        super().__init__(name, call)
        self._lists = NamedResources(self._fetch_lists, self._create_list)
        self._fields = NamedResources(self._fetch_fields, self._create_field)

    def subscribe(self, change: Subscribe) -> None:
        names = {
            "first_name": change.first_name[:MAX_NAME],
            "last_name": change.last_name[:MAX_NAME],
        }
        self._put({"email": change.email, **without_empty(names)}, change.tags, change.attributes)

    def add_tag(self, change: AddTag) -> None:
        self._put({"email": change.email}, [change.tag])

    def remove_tag(self, change: RemoveTag) -> str | None:
        lists = self._lists.get([change.tag], fresh=True).get(change.tag, ())
        if not lists:
            return None
        contact = self._contact_id(change.email)
        if contact is None:
            return "no contact of this address; one that was added just now would not be found yet"
        for each in lists:
            query = urlencode({"contact_ids": contact})
            self.send_to_existing("DELETE", f"{_LISTS}/{path_segment(each)}/contacts?{query}")
        return None

    def record_event(self, change: RecordEvent, key: str) -> None:
        self.check(change)

    def unsubscribe(self, change: Unsubscribe) -> None:
        # The list of all who want no marketing, contacts or not.
        self.send("POST", "/v3/asm/suppressions/global", {"recipient_emails": [change.email]})

    def _put(
        self,
        contact: Mapping[str, Any],
        tags: Iterable[str],
        attributes: Mapping[str, Value] | None = None,
    ) -> None:
        """Add or update a contact. What is not named in it stays as it is."""
        wanted = dict.fromkeys(tags)
        try:
            self.send("PUT", _CONTACTS, self._fields_of(contact, wanted, attributes or {}))
        except InvalidMessage as error:
            if error.status not in (400, 404) or not (wanted or attributes):
                raise
            # It may be a list or field that was deleted since it was looked up.
            self._lists.clear()
            self._fields.clear()
            self.send("PUT", _CONTACTS, self._fields_of(contact, wanted, attributes or {}))

    def _fields_of(
        self, contact: Mapping[str, Any], tags: Mapping[str, None], attributes: Mapping[str, Value]
    ) -> dict[str, Any]:
        lists = self._lists.get_or_create(tags)
        own = {name: value for name, value in attributes.items() if name in OWN_FIELDS}
        custom = {name: value for name, value in attributes.items() if name not in OWN_FIELDS}
        values = without_empty({"custom_fields": self._values(custom)})
        person = {**{name: _text(value) for name, value in own.items()}, **contact, **values}
        return without_empty({"list_ids": [ids[0] for ids in lists.values()], "contacts": [person]})

    def _values(self, attributes: Mapping[str, Value]) -> dict[str, Any]:
        # Twilio's OpenAPI: custom_fields are keyed by the ids of definitions that exist.
        # A null clears a value; where there is no such field there is nothing to clear.
        wanted = {name.lower(): (name, value) for name, value in attributes.items()}
        given = {name: each for name, each in wanted.items() if each[1] is not None}
        fields = self._fields.get(wanted.keys() - given.keys()) | self._fields.get_or_create(given)
        return {field.key: field.convert(*wanted[name]) for name, field in fields.items()}

    def _contact_id(self, email: str) -> str | None:
        answer = self.send_to_existing("POST", f"{_CONTACTS}/search/emails", {"emails": [email]})
        contact = answer.get("result", email, "contact", "id") if answer else None
        return str(contact) if contact else None

    def _fetch_lists(self) -> dict[str, tuple[str, ...]]:
        lists: list[dict[str, Any]] = []
        query: dict[str, Any] = {"page_size": PAGE}
        for _ in range(MAX_PAGES):
            answer = self.send("GET", f"{_LISTS}?{urlencode(query)}")
            lists += self.objects(answer, "result")
            token = _page_token(answer.get("_metadata", "next"))
            if not token:
                break
            query["page_token"] = token
        return ids_by_name(sorted(lists, key=lambda each: str(each.get("id"))))

    def _create_list(self, name: str, _: None) -> tuple[str, ...]:
        return (str(self.send("POST", _LISTS, {"name": name}).get("id")),)

    def _fetch_fields(self) -> dict[str, CustomField]:
        # Of names that differ in case only there can be but one.
        return {
            str(each.get("name")).lower(): _field(each)
            for each in self.objects(self.send("GET", _FIELDS), "custom_fields")
        }

    def _create_field(self, _: str, attribute: tuple[str, Value]) -> CustomField:
        name, value = attribute
        kind = "Number" if is_number(value) else "Text"
        answer = self.send("POST", _FIELDS, {"name": name, "field_type": kind})
        return CustomField(str(answer.get("id")), is_number(value))


def _field(definition: Mapping[str, Any]) -> CustomField:
    return CustomField(str(definition.get("id")), definition.get("field_type") == "Number")


def _text(value: Value) -> str:
    return "" if value is None else str(value)


def _page_token(url: Any) -> str | None:
    # The token alone: the address of the next page may name another host than ours.
    return parse_qs(urlsplit(str(url or "")).query).get("page_token", [None])[0]
