"""Who really sent a webhook: one function a scheme, bytes in, bool out. Malformed is just False."""

import hashlib
import hmac
import re
import time

TOLERANCE = 300  # seconds a signature stays valid, in both directions


def verify_stripe_signature(payload: bytes, signature: str, secret: str) -> bool:
    """Whether `Stripe-Signature` was made over `payload` with the endpoint's secret, just now.

    Every `v1` counts, because Stripe signs with old and new secret while one is rolled; other
    schemes are ignored (`v0` is a fake). The whole secret is the key, `whsec_` included.
    (docs.stripe.com/webhooks, "Verify webhook signatures manually")
    """
    items = [item.partition("=") for item in signature.split(",")]
    times = [value for name, _, value in items if name == "t"]
    if not secret.strip() or len(times) != 1 or not _is_fresh(times[0]):
        return False
    signed = times[0].encode() + b"." + payload
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
    given = [value.encode("utf-8", "replace") for name, _, value in items if name == "v1"]
    return any(hmac.compare_digest(expected, each) for each in given)


def _is_fresh(timestamp: str) -> bool:
    # Plain digits only: int() would also take "+1", "01", "1_0" and other alphabets' digits.
    if not re.fullmatch("[1-9][0-9]{0,11}", timestamp):
        return False
    return abs(time.time() - int(timestamp)) <= TOLERANCE
