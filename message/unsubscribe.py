"""The link that stops marketing emails to one address: signed, opaque, and stored nowhere."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:  # cryptography costs 50 ms to import, and hardly any request needs it
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV


@frozen
class UnsubscribeLinks:
    """Makes links below `app_url`, sealed with the last of `keys`; reads those of all of them.

    The same address always gets the same link, so retries send the same bytes.
    """

    app_url: str
    keys: Sequence[str]

    def url(self, address: str) -> str:
        """The page for `address`. Its URL tells nothing about the address."""
        sealed = _cipher(self.keys[-1]).encrypt(address.lower().encode(), None)
        token = base64.urlsafe_b64encode(sealed).decode()
        return f"{self.app_url}/unsubscribe/{token.rstrip('=')}"

    def address_of(self, token: str) -> str | None:
        """Whose token it is; None for anything that we did not make."""
        try:
            padding = "=" * (-len(token) % 4)
            sealed = base64.b64decode(token + padding, altchars=b"-_", validate=True)
        except ValueError:
            return None
        found = (_opened(sealed, key) for key in reversed(self.keys))
        return next((address for address in found if address is not None), None)

    def headers(self, address: str) -> dict[str, str]:
        """What lets a mail client show a button of its own, which posts at once (RFC 8058)."""
        return {
            "List-Unsubscribe": f"<{self.url(address)}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }


def _opened(sealed: bytes, key: str) -> str | None:
    from cryptography.exceptions import InvalidTag

    try:
        return str(_cipher(key).decrypt(sealed, None), "utf-8")
    except (InvalidTag, ValueError):
        return None


@cache
def _cipher(secret_key: str) -> "AESSIV":
    # A misuse-resistant cipher: without a nonce it still proves that nobody changed the token.
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    return AESSIV(hashlib.sha512(b"unsubscribe:" + secret_key.encode()).digest())
