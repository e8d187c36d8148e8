"""The providers' events as their documentation shows them, and true signatures over them.

The secrets come in pairs, new and old, as while one is rolled.
"""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from message import new_id

RESEND_SECRETS = tuple(f"whsec_{base64.b64encode(bytes([n]) * 24).decode()}" for n in (1, 2))
SEQUENZY_SECRETS = ("whsec_sequenzy_new", "whsec_sequenzy_old")
SENDGRID_KEYS = tuple(ec.derive_private_key(n, ec.SECP256R1()) for n in (1001, 1002))


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    """A public key as SendGrid's settings page shows it."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


SETTINGS = {
    "RESEND_WEBHOOK_SECRET": ",".join(RESEND_SECRETS),
    "SEQUENZY_WEBHOOK_SECRET": ",".join(SEQUENZY_SECRETS),
    "SENDGRID_WEBHOOK_PUBLIC_KEY": ",".join(public_text(key) for key in SENDGRID_KEYS),
}


def just_now() -> str:
    """The time as Resend and Sequenzy write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def resend_event(kind: str, email_id: str | None = None, /, **data: Any) -> dict[str, Any]:
    """One event about our email `email_id`; `data` replaces parts of its data."""
    usual = {
        "email_id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794",
        "created_at": "2026-08-01T09:59:58.000Z",
        "from": "Acme <x@acme.example>",
        "to": ["ann@example.com"],
        "subject": "Hi",
        "tags": {"email_id": email_id} if email_id else {},
    }
    return {"type": kind, "created_at": just_now(), "data": usual | data}


def sequenzy_event(kind: str, message_id: str | None = None, /, **data: Any) -> dict[str, Any]:
    """One event about the send `message_id`, with an id of its own."""
    usual = {
        "email_send_id": message_id,
        "message_id": "0100-upstream",
        "campaign_id": None,
        "recipient": "ann@example.com",
        "subject": "Hi",
        "email_type": "transactional",
    }
    return {
        "id": f"evt_{new_id()}",
        "type": kind,
        "object": "event",
        "metric": kind.partition(".")[2],
        "created_at": just_now(),
        "data": usual | data,
    }


def sendgrid_event(kind: str, email_id: str | None = None, /, **fields: Any) -> dict[str, Any]:
    """One event of a list, about our email `email_id`."""
    usual = {
        "email": "ann@example.com",
        "event": kind,
        "timestamp": int(time.time()),
        "sg_event_id": base64.b64encode(new_id().encode()).decode(),
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5F-9.0",
        "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
        "category": ["welcome"],
    }
    return usual | ({"email_id": email_id} if email_id else {}) | fields


def svix_signature(body: bytes, message_id: str, t: int | str, secret: str) -> str:
    """One entry of `svix-signature`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{t}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def stripe_digest(body: bytes, t: int | str, secret: str) -> str:
    """What Stripe writes after `v1=`."""
    return hmac.new(secret.encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()


def sequenzy_digest(body: bytes, t: int | str, secret: str) -> bytes:
    """What Sequenzy writes in hex or base64."""
    return hmac.new(secret.encode(), f"v1:{t}:".encode() + body, hashlib.sha256).digest()


def sendgrid_der(body: bytes, t: int | str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """What SendGrid writes in base64."""
    return key.sign(str(t).encode() + body, ec.ECDSA(hashes.SHA256()))


def resend_headers(
    body: bytes, message_id: str | None = None, *, t: int | None = None, secret: int = 0
) -> dict[str, str]:
    """The headers of a delivery made now, of a new event unless `message_id` is given."""
    message_id, t = message_id or f"msg_{new_id()}", t or int(time.time())
    signature = svix_signature(body, message_id, t, RESEND_SECRETS[secret])
    return {"svix-id": message_id, "svix-timestamp": str(t), "svix-signature": signature}


def sequenzy_headers(body: bytes, *, t: int | None = None, secret: int = 0) -> dict[str, str]:
    """The headers of a delivery made now."""
    t = t or int(time.time())
    digest = sequenzy_digest(body, t, SEQUENZY_SECRETS[secret]).hex()
    return {"X-Sequenzy-Timestamp": str(t), "X-Sequenzy-Signature": f"v1={digest}"}


def sendgrid_headers(body: bytes, *, t: int | None = None, secret: int = 0) -> dict[str, str]:
    """The headers of a delivery made now."""
    t = t or int(time.time())
    signature = base64.b64encode(sendgrid_der(body, t, SENDGRID_KEYS[secret])).decode()
    return {
        "X-Twilio-Email-Event-Webhook-Timestamp": str(t),
        "X-Twilio-Email-Event-Webhook-Signature": signature,
    }


HEADERS = {
    "resend": resend_headers,
    "sequenzy": sequenzy_headers,
    "sendgrid": sendgrid_headers,
}


def body_of(value: Any) -> bytes:
    """Events as they are posted; bytes stay as they are. SendGrid ends a list with a line end."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value).encode() + (b"\r\n" if isinstance(value, list) else b"")
