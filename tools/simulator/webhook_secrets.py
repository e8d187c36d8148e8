"""What webhooks are signed with: by default the secrets below, which everybody knows.

They are for development: whoever has them can tell an app that an email was delivered or bounced.
"""

import base64
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

RESEND_SECRET = "whsec_" + base64.b64encode(b"the simulator's Resend key").decode()
SEQUENZY_SECRET = "whsec_the_simulators_sequenzy_secret"
SENDGRID_KEY = ec.derive_private_key(
    int.from_bytes(sha256(b"the simulator's SendGrid key").digest()), ec.SECP256R1()
)


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Several secrets of one vendor are those of a rolling: each signs."""

    resend: tuple[str, ...] = (RESEND_SECRET,)
    sequenzy: tuple[str, ...] = (SEQUENZY_SECRET,)
    sendgrid: ec.EllipticCurvePrivateKey = SENDGRID_KEY

    def variables(self) -> dict[str, str]:
        """What the receiving app must be given, by the name of its setting."""
        return {
            "RESEND_WEBHOOK_SECRET": ",".join(self.resend),
            "SEQUENZY_WEBHOOK_SECRET": ",".join(self.sequenzy),
            "SENDGRID_WEBHOOK_PUBLIC_KEY": public_key(self.sendgrid),
        }


def public_key(key: ec.EllipticCurvePrivateKey) -> str:
    """As SendGrid's settings page shows it: DER in base64, 124 characters."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


def read_private_key(path: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key from a PEM file. Raises `ValueError` for any other file, `OSError` for none."""
    key = serialization.load_pem_private_key(Path(path).read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ValueError(f"{path} holds no P-256 key")
    return key


def read_secrets(value: str) -> tuple[str, ...]:
    """One secret, or several with commas. Raises `ValueError` if there is none."""
    secrets = tuple(part.strip() for part in value.split(",") if part.strip())
    if not secrets:
        raise ValueError("a secret is not empty")
    return secrets


def read_svix_secrets(value: str) -> tuple[str, ...]:
    """The same for Svix, whose keys are base64. Raises `ValueError` if one is not."""
    secrets = read_secrets(value)
    for secret in secrets:
        base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    return secrets
