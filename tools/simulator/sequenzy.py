"""Sequenzy's dialect: `POST /transactional/send`, as its SDK and OpenAPI have it.

It knows no saved templates, so every `slug` is unknown. What a field may hold is in
`sequenzy_rules`.
"""

import html
import re
import time
from collections.abc import Mapping
from math import ceil
from typing import Any
from uuid import uuid4

from tools.simulator.account import sequenzy_account
from tools.simulator.checks import as_list, is_verified, mailbox, text, unique
from tools.simulator.exchange import Dialect, Refused, Reply, Request, json_reply
from tools.simulator.ledger import Accepted, KeyReused, Ledger, ReceivedEmail, Submission
from tools.simulator.rates import Room, Window
from tools.simulator.sequenzy_rules import Issue, first_type_error, issues, sort_headers

KEY_LIFETIME = 14 * 24 * 3600
RATES = (Window(100, 60.0), Window(20, 1.0))  # its MCP server's README, "Standard API rate limits"
DEFAULT_SENDER = "Default sender <sender@workspace.example>"  # in place of an unverified one

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def send(request: Request, ledger: Ledger) -> Reply:
    """`POST /transactional/send`: 200 with `emailSendId`, and whether it is a replay."""
    payload = request.json
    _validate(payload)
    headers, ignored = sort_headers(payload.get("headers", {}))
    email, diagnostics = _email(payload, headers)
    accepted = _accept(request, ledger, email)
    reply = {
        "success": True,
        "emailSendId": accepted.ids[0],
        "jobId": accepted.ids[0][-12:],
        "to": email.to[0] if len(email.to) == 1 else email.to,
        "emailType": payload.get("emailType", "transactional"),
        "idempotentReplay": accepted.replayed,
    }
    optional = {
        "cc": email.cc,
        "bcc": email.bcc,
        "ignoredHeaders": ignored,
        "diagnostics": diagnostics,
    }
    return json_reply(200, reply | {name: value for name, value in optional.items() if value})


def refusal(kind: str) -> Reply:
    """Sequenzy's answer for a status, `quota` or `mismatch`."""
    if kind == "422":
        return _unprocessable(Issue("to", "Refused on request"), {})
    status, body = _REFUSALS[kind]
    headers = rate_headers(Room(remaining=0, wait=1.0)) if status == 429 else None
    return json_reply(status, {"success": False, **body}, headers)


def authenticate(request: Request) -> None:
    if request.bearer in ("", "bad-key"):
        raise Refused(refusal("401"))


def first_recipients(payload: Any) -> list[str]:
    to = as_list(payload.get("to")) if isinstance(payload, dict) else []
    return [text(each) for each in to[:1]]


def rate_headers(room: Room) -> dict[str, str]:
    """When to come again, with a 429; not documented, but what the vendor's SDK looks at."""
    if not room.wait:
        return {}
    reset = time.time() + room.wait
    return {"Retry-After": str(ceil(room.wait)), "X-RateLimit-Reset": str(ceil(reset))}


_TOO_MANY = {"message": "Rate limit exceeded"}
_REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "400": (400, {"error": "The request is not valid.", "retryable": False}),
    "401": (401, {"error": {"code": "UNAUTHORIZED", "message": "Invalid API key"}}),
    "403": (403, {"error": "API key is missing required scopes: transactional:send"}),
    "404": (404, {"error": {"code": "NOT_FOUND", "message": "There is nothing of this name."}}),
    "405": (405, {"error": "This endpoint does not take this method."}),
    "413": (413, {"error": "The request is too large."}),
    "429": (429, _TOO_MANY),
    "500": (500, {"message": "Internal server error"}),
    "502": (502, {"message": "Bad gateway"}),
    "503": (503, {"error": "The service is unavailable.", "retryable": True}),
    "quota": (429, _TOO_MANY),
    "mismatch": (
        409,
        {
            "code": "IDEMPOTENCY_KEY_REUSED",
            "error": "Idempotency key reused",
            "title": "Idempotency key reused",
            "description": "The key belongs to an earlier request with other content.",
            "resolution": "Use a new key for other content.",
            "docsUrl": "https://docs.sequenzy.com",
            "details": {},
        },
    ),
}


def _validate(payload: Any) -> None:
    if not isinstance(payload, dict):
        raise Refused(_bad_request([Issue("", "The body is not a JSON object.")]))
    type_error = first_type_error(payload)
    if type_error:
        raise Refused(_unprocessable(type_error, payload))
    found = list(issues(payload))
    if found:
        raise Refused(_bad_request(found))
    if "slug" in payload or "templateId" in payload:
        raise Refused(refusal("404"))


def _accept(request: Request, ledger: Ledger, email: ReceivedEmail) -> Accepted:
    try:
        return ledger.accept(
            Submission(
                provider="sequenzy",
                key=request.idempotency_key or None,
                key_lifetime=KEY_LIFETIME,
                body_sha256=request.body_sha256,
                emails=[email],
            )
        )
    except KeyReused:
        raise Refused(refusal("mismatch")) from None


def _bad_request(found: list[Issue]) -> Reply:
    body = {
        "success": False,
        "error": "; ".join(issue.message for issue in found[:3]),
        "retryable": False,
        "issues": [{"path": issue.path, "message": issue.message} for issue in found[:10]],
    }
    codes = [issue.code for issue in found if issue.code]
    return json_reply(400, body | ({"code": codes[0]} if codes else {}))


def _unprocessable(issue: Issue, payload: Mapping[str, Any]) -> Reply:
    pointer = "/" + issue.path
    body = {
        "type": "validation",
        "on": "body",
        "property": pointer,
        "message": issue.message,
        "summary": f"Property '{issue.path}': {issue.message}",
        "found": payload,
        "errors": [{"path": pointer, "message": issue.message, "summary": issue.message}],
    }
    return json_reply(422, body)


def _email(
    payload: dict[str, Any], headers: dict[str, str]
) -> tuple[ReceivedEmail, dict[str, Any] | None]:
    rendered = _Rendered(payload.get("variables", {}))
    to = unique(as_list(payload["to"]), besides=[])
    cc = unique(as_list(payload.get("cc")), besides=to)
    external_id = payload.get("subscriberExternalId")
    email = ReceivedEmail(
        id=f"es_{uuid4().hex}",
        sender=_sender(payload),
        to=to,
        cc=cc,
        bcc=unique(as_list(payload.get("bcc")), besides=to + cc),
        reply_to=[mailbox(payload["replyTo"]) or ""] if "replyTo" in payload else [],
        subject=rendered.fill(payload["subject"]),
        html=rendered.fill(payload.get("body") or payload.get("html") or ""),
        headers=headers,
        attachments=[item["filename"] for item in payload.get("attachments", [])],
        metadata={"external_id": external_id} if external_id else {},
        payload=payload,
    )
    return email, rendered.diagnostics()


def _sender(payload: dict[str, Any]) -> str:
    # An unverified domain is not refused: the default sender takes its place.
    sender = payload.get("from")
    return str(sender) if sender and is_verified(sender) else DEFAULT_SENDER


class _Rendered:
    """`{{name}}` filled once with escaped values, `{{html.name}}` with raw ones, the rest empty."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._missing: list[str] = []
        self._used: set[str] = set()

    def fill(self, template: str) -> str:
        return _PLACEHOLDER.sub(self._value, template)

    def diagnostics(self) -> dict[str, Any] | None:
        unused = [name for name in self._variables if name not in self._used]
        if not (self._missing or unused):
            return None
        return {
            "status": "warning",
            "message": "Some placeholders and variables do not match.",
            "missingRequiredVariables": [{"name": name} for name in self._missing],
            "unusedVariables": [{"name": name} for name in unused],
        }

    def _value(self, placeholder: re.Match[str]) -> str:
        name = placeholder[1].removeprefix("html.")
        if name not in self._variables:
            self._missing.append(name)
            return ""
        self._used.add(name)
        value = str(self._variables[name])
        return value if placeholder[1].startswith("html.") else html.escape(value)


DIALECT = Dialect(
    name="sequenzy",
    paths="/(api/)?v1/",
    routes={
        ("POST", "/(api/)?v1/transactional/send"): send,
        ("GET", "/(api/)?v1/account"): sequenzy_account,
    },
    authenticate=authenticate,
    refusal=refusal,
    first_recipients=first_recipients,
    windows=RATES,
    rate_headers=rate_headers,
)
