"""What Sequenzy refuses in a transactional email (400 and 422), and which headers it leaves out."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tools.simulator.checks import as_list, base64_size, is_address, mailbox, one_line

MAX_RECIPIENTS = 50  # in each of to, cc and bcc
MAX_ATTACHMENTS = 10
MAX_ATTACHMENT_BYTES = 15 * 1024 * 1024
MAX_HEADERS = 50
MAX_NAME = 255  # characters of trackAs and subscriberExternalId

_TRACK_AS = re.compile(r"[A-Za-z0-9 ._:/-]{1,255}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]+")
_RESERVED_HEADER = re.compile(
    r"from|sender|to|cc|bcc|reply-to|subject|date|message-id|mime-version|return-path|received.*"
    r"|dkim-signature|authentication-results|(content|x-sequenzy|x-ses|arc|resent)-.*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Issue:
    """One thing that is wrong: where, what, and the vendor's code if it has one."""

    path: str
    message: str
    code: str = ""


def first_type_error(payload: dict[str, Any]) -> Issue | None:
    """A field that is missing or of the wrong type: what the framework answers with 422."""
    if "to" not in payload:
        return Issue("to", "Required property")
    for name, (is_valid, expected) in _TYPES.items():
        if name in payload and not is_valid(payload[name]):
            return Issue(name, f"Expected {expected}")
    return None


def issues(payload: dict[str, Any]) -> Iterator[Issue]:
    """What is wrong with an email whose fields have the right types: a 400."""
    yield from _recipients(payload)
    yield from _content(payload)
    yield from _sender(payload)
    yield from _attachments(payload.get("attachments", []))
    yield from _names(payload)


def sort_headers(headers: Any) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The headers that are applied, and the others with the vendor's reason; none refuses."""
    if not isinstance(headers, dict):
        return {}, [{"name": "", "reason": "invalid_headers"}]
    applied: dict[str, str] = {}
    ignored: list[dict[str, str]] = []
    for name, value in headers.items():
        reason = _reason_to_ignore(name, value, applied)
        if reason:
            ignored.append({"name": name, "reason": reason})
        else:
            applied[name] = value
    return applied, ignored


def _reason_to_ignore(name: str, value: Any, applied: dict[str, str]) -> str | None:
    reasons: list[tuple[str, Callable[[], bool]]] = [
        ("invalid_name", lambda: not _HEADER_NAME.fullmatch(name)),
        ("reserved", lambda: bool(_RESERVED_HEADER.fullmatch(name))),
        ("invalid_value", lambda: not _is_header_value(name, value)),
        ("duplicate", lambda: name.lower() in {other.lower() for other in applied}),
        ("too_many_headers", lambda: len(applied) >= MAX_HEADERS),
    ]
    return next((reason for reason, applies in reasons if applies()), None)


def _is_header_value(name: str, value: Any) -> bool:
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        return False
    return len(f"{name}: {value}") <= 998


def _recipients(payload: dict[str, Any]) -> Iterator[Issue]:
    for name in ("to", "cc", "bcc"):
        addresses = as_list(payload.get(name))
        if len(addresses) > MAX_RECIPIENTS:
            yield Issue(name, f"{name} takes at most {MAX_RECIPIENTS} addresses")
        for index, address in enumerate(addresses):
            if not is_address(address):
                yield Issue(f"{name}[{index}]", f"{name} holds an invalid email address")
    single = len(as_list(payload["to"])) == 1 and not payload.get("cc") and not payload.get("bcc")
    if not payload["to"]:
        yield Issue("to", "to needs at least one address")
    elif payload.get("emailType") == "marketing" and not single:
        yield Issue("emailType", "marketing takes exactly one recipient")
    elif "subscriberExternalId" in payload and not single:
        yield Issue("subscriberExternalId", "subscriberExternalId takes exactly one recipient")


def _content(payload: dict[str, Any]) -> Iterator[Issue]:
    direct = [name for name in ("subject", "body", "html", "preview") if name in payload]
    if "slug" in payload or "templateId" in payload:
        for name in [*direct, *(["trackAs"] if "trackAs" in payload else [])]:
            yield Issue(name, f"{name} is excluded by a saved template")
        return
    if not one_line(payload.get("subject")):
        yield Issue("subject", "subject is required and is one line")
    if not (payload.get("body") or payload.get("html")):
        yield Issue("body", "body is required")
    elif payload.get("body", payload.get("html")) != payload.get("html", payload.get("body")):
        yield Issue("html", "html and body differ")


def _sender(payload: dict[str, Any]) -> Iterator[Issue]:
    for name in ("from", "replyTo"):
        if name in payload and mailbox(payload[name]) is None:
            yield Issue(name, f"{name} holds an invalid email address")
    if "from" in payload:
        for name in ("senderProfileId", "fromEmail", "fromName"):
            if name in payload:
                yield Issue(name, f"{name} and from exclude each other")


def _attachments(attachments: list[dict[str, Any]]) -> Iterator[Issue]:
    if len(attachments) > MAX_ATTACHMENTS:
        yield Issue("attachments", f"at most {MAX_ATTACHMENTS} attachments")
    total = 0
    for index, attachment in enumerate(attachments):
        path = f"attachments[{index}]"
        if not one_line(attachment.get("filename")):
            yield Issue(f"{path}.filename", "filename is required")
        if ("content" in attachment) == ("path" in attachment):
            yield Issue(path, "an attachment has either content or path")
        elif "content" in attachment:
            size = base64_size(attachment["content"])
            if size is None:
                yield Issue(f"{path}.content", "content is not base64")
            total += size or 0
    if total > MAX_ATTACHMENT_BYTES:
        yield Issue("attachments", "the attachments exceed 15 MB")


def _names(payload: dict[str, Any]) -> Iterator[Issue]:
    if len(payload.get("subscriberExternalId", "")) > MAX_NAME:
        yield Issue("subscriberExternalId", f"at most {MAX_NAME} characters")
    if "trackAs" in payload and not _TRACK_AS.fullmatch(payload["trackAs"]):
        yield Issue("trackAs", "trackAs holds characters that are not allowed", "INVALID_TRACK_AS")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_texts(value: Any) -> bool:
    return all(isinstance(item, str) for item in as_list(value)) and value is not None


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_email_type(value: Any) -> bool:
    return value in ("transactional", "marketing")


_TEXTS = (
    "subject", "body", "html", "preview", "from", "fromEmail", "fromName", "replyTo",
    "replyToName", "senderProfileId", "replyProfileId", "slug", "templateId",
    "subscriberExternalId", "trackAs",
)  # fmt: skip
_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("to", "cc", "bcc"), (_is_text_or_texts, "string or list of strings")),
    **dict.fromkeys(_TEXTS, (_is_text, "string")),
    "attachments": (_are_objects, "list of objects"),
    "variables": (_is_object, "object"),
    "trackingSettings": (_is_object, "object"),
    "emailType": (_is_email_type, "'transactional' or 'marketing'"),
}
