"""Resend's dialect: `POST /emails` and `POST /emails/batch`, as its API reference has them."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from tools.simulator.account import resend_domains
from tools.simulator.checks import (
    as_list,
    base64_size,
    is_text_map,
    is_verified,
    mailbox,
    one_line,
    text,
)
from tools.simulator.exchange import Dialect, Refused, Reply, Request, json_reply
from tools.simulator.ledger import Accepted, KeyReused, Ledger, ReceivedEmail, Submission

KEY_LIFETIME = 24 * 3600
MAX_KEY = 256
MAX_BATCH = 100
MAX_TO = 50
MAX_ATTACHMENTS = 40 * 1024 * 1024  # bytes of base64

_RATE_LIMIT = {"ratelimit-limit": "5", "ratelimit-reset": "1"}  # told, never enforced
_ROOM = {**_RATE_LIMIT, "ratelimit-remaining": "4"}
_NO_ROOM = {**_RATE_LIMIT, "ratelimit-remaining": "0", "retry-after": "1"}
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_MICROSECONDS = re.compile(r"\.\d{4,}")

# What is wrong with an email: status, name, message.
Problem = tuple[int, str, str]

_REFUSALS: dict[str, Problem] = {
    "400": (400, "validation_error", "The request is not valid."),
    "401": (401, "validation_error", "API key is invalid"),
    "403": (403, "invalid_api_key", "API key is invalid"),
    "404": (404, "not_found", "The requested endpoint does not exist."),
    "405": (405, "method_not_allowed", "This endpoint does not take this method."),
    "413": (413, "validation_error", "The request is too large."),
    "422": (422, "validation_error", "A field of the request is not valid."),
    "429": (429, "rate_limit_exceeded", "Too many requests."),
    "500": (500, "application_error", "An unexpected error occurred."),
    "502": (502, "application_error", "Bad gateway."),
    "503": (503, "service_unavailable", "The service is unavailable."),
    "quota": (429, "daily_quota_exceeded", "The daily quota of emails is used up."),
    "concurrent": (
        409,
        "concurrent_idempotent_requests",
        "A request with this idempotency key is being answered.",
    ),
    "mismatch": (
        409,
        "invalid_idempotent_request",
        "This idempotency key was used with another request body.",
    ),
}


def send(request: Request, ledger: Ledger) -> Reply:
    """`POST /emails`: 200 `{"id"}`."""
    payload = request.json
    problem = next(_problems(payload), None)
    if problem:
        raise Refused(_error(*problem))
    accepted = _accept(request, ledger, [_email(payload, batch=False)])
    return json_reply(200, {"id": accepted.ids[0]}, _ROOM)


def send_batch(request: Request, ledger: Ledger) -> Reply:
    """`POST /emails/batch`: 200 `{"data": [{"id"}], "errors": [{"index", "message"}]}`.

    Strict refuses all for one bad email; permissive leaves the bad ones out of `data`.
    """
    items = request.json
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_BATCH:
        words = f"A batch is a list of 1 to {MAX_BATCH} emails."
        raise Refused(_error(422, "validation_error", words))
    found = [next(_problems(item), None) for item in items]
    bad = [(index, problem) for index, problem in enumerate(found) if problem]
    permissive = request.headers.get("x-batch-validation") == "permissive"
    if bad and not permissive:
        raise Refused(_error(*bad[0][1]))
    emails = [
        _email(item, batch=True)
        for item, problem in zip(items, found, strict=True)
        if problem is None
    ]
    ids = _accept(request, ledger, emails).ids if emails else ()
    reply: dict[str, Any] = {"data": [{"id": item} for item in ids]}
    if permissive:
        reply["errors"] = [{"index": index, "message": words} for index, (_, _, words) in bad]
    return json_reply(200, reply, _ROOM)


def refusal(kind: str) -> Reply:
    """Resend's answer for a status, `quota` or `concurrent`."""
    return _error(*_REFUSALS[kind])


def authenticate(request: Request) -> None:
    if not request.headers.get("user-agent"):
        # Cloudflare, in front of the API, turns nameless clients away.
        headers = {"Content-Type": "text/plain"}
        raise Refused(Reply(status=403, headers=headers, body=b"error code: 1010"))
    if not request.bearer:
        raise Refused(_error(401, "missing_api_key", "The API key is missing."))
    if request.bearer == "bad-key":
        raise Refused(refusal("401"))


def first_recipient(payload: Any) -> str:
    email = payload[0] if isinstance(payload, list) and payload else payload
    to = as_list(email.get("to")) if isinstance(email, dict) else []
    return (mailbox(to[0]) or "") if to else ""


def _accept(request: Request, ledger: Ledger, emails: list[ReceivedEmail]) -> Accepted:
    key = request.idempotency_key
    if key is not None and not 1 <= len(key) <= MAX_KEY:
        words = f"An idempotency key has 1 to {MAX_KEY} characters."
        raise Refused(_error(400, "invalid_idempotency_key", words))
    try:
        return ledger.accept(
            Submission(
                provider="resend",
                key=key,
                key_lifetime=KEY_LIFETIME,
                body_sha256=request.body_sha256,
                emails=emails,
            )
        )
    except KeyReused:
        raise Refused(refusal("mismatch")) from None


def _problems(email: Any) -> Iterator[Problem]:
    if not isinstance(email, dict):
        yield 400, "validation_error", "The body is not a JSON object."
        return
    yield from _missing(email)
    yield from _bad_addresses(email)
    yield from _bad_content(email)
    if not is_text_map(email.get("headers", {})):
        yield _invalid("headers", "an object of texts")
    yield from _bad_tags(email.get("tags", []))
    yield from _bad_attachments(email.get("attachments", []))
    if _MICROSECONDS.search(text(email.get("scheduled_at"))):
        yield _invalid("scheduled_at", "ISO 8601 with milliseconds at most")
    if not is_verified(email["from"]):
        yield 403, "validation_error", "The domain of `from` is not verified."


def _missing(email: dict[str, Any]) -> Iterator[Problem]:
    for name in ("from", "to", "subject"):
        if email.get(name) in (None, "", []):
            yield 422, "missing_required_field", f"Missing `{name}` field."
    if not any(email.get(name) for name in ("html", "text", "template")):
        yield 422, "missing_required_field", "Missing `html` or `text` field."


def _bad_addresses(email: dict[str, Any]) -> Iterator[Problem]:
    shape = "`email@example.com` or `Name <email@example.com>`"
    if mailbox(email["from"]) is None:
        status, _, words = _invalid("from", shape)
        yield status, "invalid_from_address", words
    for name in ("to", "cc", "bcc", "reply_to"):
        if any(mailbox(address) is None for address in as_list(email.get(name))):
            yield _invalid(name, shape)
    if len(as_list(email["to"])) > MAX_TO:
        yield _invalid("to", f"at most {MAX_TO} addresses")


def _bad_content(email: dict[str, Any]) -> Iterator[Problem]:
    if not one_line(email["subject"]):
        yield _invalid("subject", "one line of text")
    for name in ("html", "text"):
        if not isinstance(email.get(name, ""), str):
            yield _invalid(name, "text")
    if "template" in email and ("html" in email or "text" in email):
        yield 422, "validation_error", "A `template` excludes `html` and `text`."


def _bad_tags(tags: Any) -> Iterator[Problem]:
    if not isinstance(tags, list) or not all(isinstance(tag, dict) for tag in tags):
        yield _invalid("tags", "a list of names and values")
        return
    for tag in tags:
        if not all(_TAG.fullmatch(text(tag.get(part))) for part in ("name", "value")):
            yield _invalid("tags", "ASCII letters, digits, `_` and `-`, at most 256")


def _bad_attachments(attachments: Any) -> Iterator[Problem]:
    if not isinstance(attachments, list) or not all(isinstance(a, dict) for a in attachments):
        yield _invalid("attachments", "a list of objects")
        return
    for attachment in attachments:
        content = attachment.get("content")
        if not attachment.get("path") and base64_size(content) is None:
            yield 422, "invalid_attachment", "An attachment has base64 `content` or a `path`."
    if sum(len(text(a.get("content"))) for a in attachments) > MAX_ATTACHMENTS:
        yield 422, "invalid_attachment", "The attachments exceed 40 MB."


def _invalid(name: str, shape: str) -> Problem:
    return 422, "validation_error", f"Invalid `{name}` field: it takes {shape}."


def _error(status: int, name: str, message: str) -> Reply:
    headers = _NO_ROOM if status == 429 else _ROOM
    return json_reply(status, {"statusCode": status, "name": name, "message": message}, headers)


def _email(payload: dict[str, Any], *, batch: bool) -> ReceivedEmail:
    # In a batch, attachments are left out without a word.
    attachments = [] if batch else payload.get("attachments", [])
    return ReceivedEmail(
        id=str(uuid4()),
        sender=payload["from"],
        to=_addresses(payload, "to"),
        cc=_addresses(payload, "cc"),
        bcc=_addresses(payload, "bcc"),
        reply_to=_addresses(payload, "reply_to"),
        subject=payload["subject"],
        html=payload.get("html", ""),
        text=payload.get("text", ""),
        headers=payload.get("headers", {}),
        attachments=[text(attachment.get("filename")) for attachment in attachments],
        metadata={tag["name"]: tag["value"] for tag in payload.get("tags", [])},
        payload=payload,
    )


def _addresses(payload: dict[str, Any], name: str) -> list[str]:
    return [mailbox(address) or "" for address in as_list(payload.get(name))]


DIALECT = Dialect(
    name="resend",
    paths="/(emails|domains|contacts|contact-properties|segments|events)",
    routes={
        ("POST", "/emails"): send,
        ("POST", "/emails/batch"): send_batch,
        ("GET", "/domains"): resend_domains,
    },
    authenticate=authenticate,
    refusal=refusal,
    first_recipient=first_recipient,
    one_at_a_time=True,
)
