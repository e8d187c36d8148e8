"""The link that stops marketing emails to one address: signed, opaque, and stored nowhere.

The same address always gets the same link, so retries send the same bytes. It lives as long as
SECRET_KEY.
"""

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:  # cryptography costs 50 ms to import, and hardly any request needs it
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV


def unsubscribe_url(address: str) -> str:
    """The page for `address`, below APP_URL. It tells nothing about the address."""
    token = base64.urlsafe_b64encode(_cipher().encrypt(address.lower().encode(), None)).decode()
    return f"{current_app.config['APP_URL']}/unsubscribe/{token.rstrip('=')}"


def address_of(token: str) -> str | None:
    """Whose token it is; None for anything that we did not make."""
    from cryptography.exceptions import InvalidTag

    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return str(_cipher().decrypt(sealed, None), "utf-8")
    except (InvalidTag, ValueError):
        return None


def list_unsubscribe_headers(address: str) -> dict[str, str]:
    """What lets a mail client show its own button, which posts without a question (RFC 8058)."""
    return {
        "List-Unsubscribe": f"<{unsubscribe_url(address)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _cipher() -> "AESSIV":
    return _cipher_of(str(current_app.config["SECRET_KEY"]))


@cache
def _cipher_of(secret_key: str) -> "AESSIV":
    # A misuse-resistant cipher: without a nonce it still proves that nobody changed the token.
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    return AESSIV(hashlib.sha512(b"unsubscribe:" + secret_key.encode()).digest())
