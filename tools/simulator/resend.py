"""Resend's dialect: `POST /emails` and `POST /emails/batch`, as its API reference has them.

What an email may hold is in `resend_rules`.
"""

from math import ceil
from typing import Any
from uuid import uuid4

from tools.simulator.account import resend_domains
from tools.simulator.checks import as_list, mailbox, text
from tools.simulator.exchange import Dialect, Refused, Reply, Request, json_reply
from tools.simulator.ledger import Accepted, KeyReused, Ledger, ReceivedEmail, Submission
from tools.simulator.misbehaviour import refused_alone
from tools.simulator.rates import Room, Window
from tools.simulator.resend_rules import Problem, problems

KEY_LIFETIME = 24 * 3600
MAX_KEY = 256
MAX_BATCH = 100
RATE = Window(5, 1.0)  # resend.com/docs/api-reference/rate-limit: of a team, on all calls

_REFUSALS: dict[str, Problem] = {
    "400": (400, "validation_error", "The request is not valid."),
    "401": (401, "validation_error", "API key is invalid"),
    "403": (403, "invalid_api_key", "API key is invalid"),
    "404": (404, "not_found", "The requested endpoint does not exist."),
    "405": (405, "method_not_allowed", "This endpoint does not take this method."),
    "413": (413, "validation_error", "The request is too large."),
    "422": (422, "validation_error", "A field of the request is not valid."),
    "429": (
        429,
        "rate_limit_exceeded",
        f"Too many requests. You can only make {RATE.limit} requests per second. "
        "See rate limit response headers for more information.",
    ),
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
    problem = next(problems(payload), None)
    if problem:
        raise Refused(_error(*problem))
    accepted = _accept(request, ledger, [_email(payload, batch=False)])
    return json_reply(200, {"id": accepted.ids[0]})


def send_batch(request: Request, ledger: Ledger) -> Reply:
    """`POST /emails/batch`: 200 `{"data": [{"id"}], "errors": [{"index", "message"}]}`.

    Strict refuses all for one bad email; permissive leaves the bad ones out of `data`. The tags of
    an email count and its schedule too (resend.com/changelog/tags-for-batch-and-scheduled-emails,
    resend-node 6.18.0); its attachments are left out without a word (resend-node issue 409).
    """
    items = request.json
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_BATCH:
        words = f"A batch is a list of 1 to {MAX_BATCH} emails."
        raise Refused(_error(422, "validation_error", words))
    found = [_problem_in_batch(item) for item in items]
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
    return json_reply(200, reply)


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


def first_recipients(payload: Any) -> list[str]:
    """Of each email of a batch; without those that are refused alone."""
    if isinstance(payload, list):
        recipients = [_first_recipient(email) for email in payload]
        return [recipient for recipient in recipients if not refused_alone(recipient)]
    return [_first_recipient(payload)]


def rate_headers(room: Room) -> dict[str, str]:
    """`ratelimit-*` with every answer, `retry-after` with a 429; in whole seconds."""
    headers = {
        "ratelimit-limit": str(RATE.limit),
        "ratelimit-remaining": str(room.remaining),
        "ratelimit-reset": str(ceil(RATE.seconds)),
    }
    return headers | ({"retry-after": str(ceil(room.wait))} if room.wait else {})


def _first_recipient(email: Any) -> str:
    to = as_list(email.get("to")) if isinstance(email, dict) else []
    return (mailbox(to[0]) or "") if to else ""


def _problem_in_batch(email: Any) -> Problem | None:
    asked = refused_alone(_first_recipient(email))
    return next(problems(email), _REFUSALS[asked] if asked else None)


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


def _error(status: int, name: str, message: str) -> Reply:
    headers = rate_headers(Room(remaining=0, wait=1.0)) if status == 429 else {}
    return json_reply(status, {"statusCode": status, "name": name, "message": message}, headers)


def _email(payload: dict[str, Any], *, batch: bool) -> ReceivedEmail:
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
    first_recipients=first_recipients,
    windows=(RATE,),
    rate_headers=rate_headers,
    one_at_a_time=True,
)
