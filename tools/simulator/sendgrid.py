"""SendGrid's dialect: `POST /v3/mail/send`, as Twilio's OpenAPI has it. It honours no key."""

import base64
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from tools.simulator.account import sendgrid_scopes
from tools.simulator.checks import base64_size, is_address, is_text_map, is_verified, one_line, text
from tools.simulator.exchange import Dialect, Refused, Reply, Request, json_reply
from tools.simulator.ledger import Ledger, ReceivedEmail, Submission

MAX_BYTES = 30 * 1024 * 1024
MAX_RECIPIENTS = 1000  # over to, cc and bcc of all personalizations
MAX_CATEGORIES = 10
MAX_CUSTOM_ARGS = 10_000  # bytes
MAX_AHEAD = 72 * 3600  # seconds

_RESERVED_HEADERS = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
    "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
}  # fmt: skip

# What is wrong: the path of the field, the message.
Problem = tuple[str | None, str]

_NOT_AN_ADDRESS = "Does not contain a valid address."
_REFUSALS: dict[str, tuple[int, Problem]] = {
    "400": (400, (None, "Bad Request")),
    "401": (401, (None, "The provided authorization grant is invalid, expired, or revoked")),
    "403": (403, ("from", "The from address does not match a verified Sender Identity.")),
    "404": (404, (None, "not found")),
    "405": (405, (None, "method not allowed")),
    "413": (413, (None, "The message is too large.")),
    "422": (422, (None, "Unprocessable Entity")),
    "429": (429, (None, "too many requests")),
    "500": (500, (None, "internal server error")),
    "502": (502, (None, "bad gateway")),
    "503": (503, (None, "service unavailable")),
    "quota": (401, (None, "Maximum credits exceeded")),
}


def send(request: Request, ledger: Ledger) -> Reply:
    """`POST /v3/mail/send`: 202 with an empty body and `X-Message-Id`; 200 in sandbox mode."""
    payload = request.json
    if len(request.body) > MAX_BYTES:
        raise Refused(refusal("413"))
    problems = list(_problems(payload))
    if problems:
        raise Refused(_errors(400, problems))
    if not is_verified(payload["from"]["email"]):
        raise Refused(refusal("403"))
    if _is_sandbox(payload):
        return Reply(status=200, headers=_rate_limit(599))
    message_id = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
    ledger.accept(
        Submission(
            provider="sendgrid",
            key=None,
            key_lifetime=0,
            body_sha256=request.body_sha256,
            emails=[_email(payload, person, message_id) for person in payload["personalizations"]],
        )
    )
    return Reply(status=202, headers={"X-Message-Id": message_id, **_rate_limit(599)})


def refusal(kind: str) -> Reply:
    """SendGrid's answer for a status or `quota`."""
    status, problem = _REFUSALS[kind]
    return _errors(status, [problem])


def authenticate(request: Request) -> None:
    if request.bearer in ("", "bad-key"):
        raise Refused(refusal("401"))


def first_recipients(payload: Any) -> list[str]:
    try:
        return [text(payload["personalizations"][0]["to"][0]["email"])]
    except (TypeError, KeyError, IndexError):
        return []


def _errors(status: int, problems: list[Problem]) -> Reply:
    errors = [{"message": words, "field": path, "help": None} for path, words in problems]
    return json_reply(status, {"errors": errors}, _rate_limit(0 if status == 429 else 599))


def _rate_limit(remaining: int) -> dict[str, str]:
    # Told, never enforced: SendGrid has these headers, but publishes no number for mail/send.
    # The reset is a moment, in unix seconds.
    return {
        "X-RateLimit-Limit": "600",
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(time.time()) + 1),
    }


def _problems(payload: Any) -> Iterator[Problem]:
    if not isinstance(payload, dict):
        yield None, "Bad Request"
        return
    yield from _bad_people(payload.get("personalizations"))
    yield from _bad_sender(payload)
    yield from _bad_subject(payload)
    yield from _bad_content(payload)
    yield from _bad_attachments(payload.get("attachments", []))
    yield from _bad_categories(payload.get("categories", []))
    yield from _bad_extras("", payload)


def _bad_people(people: Any) -> Iterator[Problem]:
    if not isinstance(people, list) or not 1 <= len(people) <= MAX_RECIPIENTS:
        yield "personalizations", f"The field takes 1 to {MAX_RECIPIENTS} personalizations."
        return
    total = 0
    for index, person in enumerate(people):
        path = f"personalizations.{index}"
        if not isinstance(person, dict):
            yield path, "The field takes an object."
            continue
        if not person.get("to"):
            yield f"{path}.to", "The to array is required and takes at least one address."
        yield from _bad_recipients(path, person)
        if "subject" in person and not one_line(person["subject"]):
            yield f"{path}.subject", "The subject must be one line of at least one character."
        yield from _bad_extras(f"{path}.", person)
        total += len(_addresses(person))
    if total > MAX_RECIPIENTS:
        yield "personalizations", f"A request takes at most {MAX_RECIPIENTS} recipients."


def _bad_recipients(path: str, person: dict[str, Any]) -> Iterator[Problem]:
    for name in ("to", "cc", "bcc"):
        if name not in person:
            continue
        if not isinstance(person[name], list) or not person[name]:
            yield f"{path}.{name}", "The field takes a list of at least one address."
            continue
        for index, item in enumerate(person[name]):
            yield from _bad_address(f"{path}.{name}.{index}", item, separators=False)
    addresses = [address.lower() for address in _addresses(person)]
    if len(set(addresses)) < len(addresses):
        yield path, "Each address must be unique over to, cc and bcc of one personalization."


def _bad_address(path: str, item: Any, *, separators: bool = True) -> Iterator[Problem]:
    if not isinstance(item, dict) or not is_address(item.get("email")):
        yield f"{path}.email", _NOT_AN_ADDRESS
        return
    name = item.get("name", "")
    if not isinstance(name, str) or "\n" in name or "\r" in name:
        yield f"{path}.name", "The name must be one line of text."
    elif not separators and any(character in name for character in ";,"):
        yield f"{path}.name", "The name must not hold a comma or a semicolon."


def _bad_sender(payload: dict[str, Any]) -> Iterator[Problem]:
    sender = payload.get("from")
    yield from _bad_address("from", sender)
    if isinstance(sender, dict) and not text(sender.get("email")).isascii():
        yield "from.email", "Unicode is not supported in the from address."
    if "reply_to" in payload and "reply_to_list" in payload:
        yield "reply_to", "reply_to and reply_to_list exclude each other."
    if "reply_to" in payload:
        yield from _bad_address("reply_to", payload["reply_to"])
    replies = payload.get("reply_to_list", [])
    if not isinstance(replies, list) or len(replies) > MAX_RECIPIENTS:
        yield "reply_to_list", f"The field takes at most {MAX_RECIPIENTS} addresses."
        return
    for index, item in enumerate(replies):
        yield from _bad_address(f"reply_to_list.{index}", item)


def _bad_subject(payload: dict[str, Any]) -> Iterator[Problem]:
    if "subject" in payload and not one_line(payload["subject"]):
        yield "subject", "The subject must be one line of at least one character."
    elif "subject" not in payload and "template_id" not in payload:
        people = payload.get("personalizations")
        if not all("subject" in person for person in people or () if isinstance(person, dict)):
            yield "subject", "The subject is required."


def _bad_content(payload: dict[str, Any]) -> Iterator[Problem]:
    content = payload.get("content")
    if content is None and "template_id" in payload:
        return
    if not isinstance(content, list) or not content:
        yield "content", "The content is required: at least one part."
        return
    for index, part in enumerate(content):
        if not isinstance(part, dict) or not one_line(part.get("type")):
            yield f"content.{index}.type", "The content type must be text."
        elif not text(part.get("value")):
            yield f"content.{index}.value", "The content value must be at least one character."
    kinds = [part.get("type") for part in content if isinstance(part, dict)]
    if kinds != sorted(kinds, key=_rank):
        yield "content", "text/plain comes first, then text/html, then anything else."


def _rank(kind: Any) -> int:
    return {"text/plain": 0, "text/html": 1}.get(text(kind), 2)


def _bad_attachments(attachments: Any) -> Iterator[Problem]:
    if not isinstance(attachments, list):
        yield "attachments", "The field takes a list."
        return
    for index, attachment in enumerate(attachments):
        path = f"attachments.{index}"
        if not isinstance(attachment, dict):
            yield path, "The field takes an object."
            continue
        if base64_size(attachment.get("content")) is None:
            yield f"{path}.content", "The attachment content must be base64 without line breaks."
        if not one_line(attachment.get("filename")):
            yield f"{path}.filename", "The attachment filename is required."
        if attachment.get("disposition", "attachment") not in ("attachment", "inline"):
            yield f"{path}.disposition", "The disposition is attachment or inline."


def _bad_categories(categories: Any) -> Iterator[Problem]:
    valid = isinstance(categories, list) and all(
        isinstance(category, str) and 1 <= len(category) <= 255 for category in categories
    )
    if not valid or not len(set(categories)) == len(categories) <= MAX_CATEGORIES:
        yield "categories", f"At most {MAX_CATEGORIES} different categories of 255 characters."


def _bad_extras(prefix: str, holder: dict[str, Any]) -> Iterator[Problem]:
    """What may stand in the message and in each personalization."""
    headers, arguments = holder.get("headers", {}), holder.get("custom_args", {})
    if not is_text_map(headers):
        yield f"{prefix}headers", "The headers take texts only."
    elif any(name.lower() in _RESERVED_HEADERS for name in headers):
        yield f"{prefix}headers", "A header of this name is set by us."
    if not is_text_map(arguments):
        yield None, "Bad Request"
    elif sum(len(f"{name}{value}".encode()) for name, value in arguments.items()) > MAX_CUSTOM_ARGS:
        yield f"{prefix}custom_args", f"The custom_args exceed {MAX_CUSTOM_ARGS} bytes."
    send_at = holder.get("send_at", 0)
    if not isinstance(send_at, int) or send_at > time.time() + MAX_AHEAD:
        yield f"{prefix}send_at", "The send_at takes unix seconds, at most 72 hours ahead."


def _is_sandbox(payload: dict[str, Any]) -> bool:
    try:
        return bool(payload["mail_settings"]["sandbox_mode"]["enable"])
    except (KeyError, TypeError):
        return False


def _addresses(person: dict[str, Any]) -> list[str]:
    return [address for name in ("to", "cc", "bcc") for address in _of(person, name)]


def _of(person: dict[str, Any], name: str) -> list[str]:
    items = person.get(name)
    people = items if isinstance(items, list) else []
    return [text(item.get("email")) for item in people if isinstance(item, dict)]


def _email(payload: dict[str, Any], person: dict[str, Any], message_id: str) -> ReceivedEmail:
    parts = {part["type"]: part["value"] for part in payload.get("content", [])}
    sender, reply_to = payload["from"], payload.get("reply_to")
    return ReceivedEmail(
        id=message_id,
        sender=f"{sender['name']} <{sender['email']}>" if sender.get("name") else sender["email"],
        to=_of(person, "to"),
        cc=_of(person, "cc"),
        bcc=_of(person, "bcc"),
        reply_to=[reply_to["email"]] if reply_to else _of(payload, "reply_to_list"),
        subject=person.get("subject", payload.get("subject", "")),
        html=parts.get("text/html", ""),
        text=parts.get("text/plain", ""),
        headers={**payload.get("headers", {}), **person.get("headers", {})},
        attachments=[attachment["filename"] for attachment in payload.get("attachments", [])],
        metadata={**payload.get("custom_args", {}), **person.get("custom_args", {})},
        payload={**payload, "personalizations": [person]},
    )


DIALECT = Dialect(
    name="sendgrid",
    paths="/v3/",
    routes={("POST", "/v3/mail/send"): send, ("GET", "/v3/scopes"): sendgrid_scopes},
    authenticate=authenticate,
    refusal=refusal,
    first_recipients=first_recipients,
)
