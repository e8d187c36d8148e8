"""What Resend asks of an email, as its API reference and OpenAPI have it."""

import re
from collections.abc import Iterator
from typing import Any

from tools.simulator.checks import (
    as_list,
    base64_size,
    is_text_map,
    is_verified,
    mailbox,
    one_line,
    text,
)

MAX_TO = 50
MAX_ATTACHMENTS = 40 * 1024 * 1024  # bytes of base64

_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_MICROSECONDS = re.compile(r"\.\d{4,}")

# What is wrong with an email: status, name, message.
Problem = tuple[int, str, str]


def problems(email: Any) -> Iterator[Problem]:
    """What is wrong with one email, the first thing first."""
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
