"""SendGrid's signature check, held against its library's own test vector and its library.

The library says no, or raises; ours only ever answers.
"""

import base64
import random
import time
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sendgrid.helpers.eventwebhook import EventWebhook

from providers.signatures import verify_sendgrid_signature
from tests.providers.signatures.conftest import ARABIC, NOW, with_digits_from

VECTOR_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+"
    "2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
VECTOR_SIGNATURE = (
    "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM"
    "+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
)
VECTOR_BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]'
    b"\r\n"
)


def text_of(public: PublicKeyTypes) -> str:
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


KEY = ec.derive_private_key(11, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(5, ec.SECP256R1())
P384_KEY = ec.derive_private_key(7, ec.SECP384R1())
PUBLIC = text_of(KEY.public_key())
RSA = text_of(rsa.generate_private_key(65537, 1024).public_key())  # noqa: S505  never signs
ED25519 = text_of(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key())
BODY = b'[{"event":"open","email":"a@example.com"}]\r\n'


def der(
    t: int | str = NOW,
    body: bytes = BODY,
    key: ec.EllipticCurvePrivateKey = KEY,
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    # Without chance, so that a failure comes back.
    algorithm = ec.ECDSA(digest or hashes.SHA256(), deterministic_signing=True)
    return key.sign(str(t).encode() + body, algorithm)


def encoded(signature: bytes) -> str:
    return base64.b64encode(signature).decode()


DER = der()
R, S = decode_dss_signature(DER)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GOOD = encoded(DER)


@dataclass(frozen=True)
class Post:
    """One delivery, as it arrives."""

    signature: str = GOOD
    t: str = str(NOW)
    body: bytes = BODY
    public_key: str = PUBLIC


def at(t: int | str) -> Post:
    """A delivery whose time was signed as it is written."""
    return Post(encoded(der(t)), str(t))


def with_body(body: bytes) -> Post:
    return Post(encoded(der(body=body)), body=body)


def numbers(r: int, s: int) -> Post:
    return Post(encoded(encode_dss_signature(r, s)))


GENUINE = {
    "plain": Post(),
    "signed by chance": Post(
        encoded(KEY.sign(f"{NOW}".encode() + BODY, ec.ECDSA(hashes.SHA256())))
    ),
    "an hour old": at(NOW - 3600),
    "30 days old": at(NOW - 30 * 86_400),
    "a day ahead": at(NOW + 86_400),
    "time of 12 digits": at("9" * 12),
    "milliseconds": at(f"{NOW}00"),
    "time 1": at(1),
    "empty body": with_body(b""),
    "body without a line end": with_body(b"[]"),
    "body with a line end": with_body(b"[]\n"),
    "body in UTF-8": with_body("[\"Änn 李\"]\r\n".encode()),
    "body with NUL": with_body(b"\0"),
    "body of 1 MB": with_body(b"a" * 1_000_000),
    "the same point mirrored": numbers(R, ORDER - S),  # ECDSA itself allows that
    "a key of another curve": Post(
        encoded(der(key=P384_KEY)), public_key=text_of(P384_KEY.public_key())
    ),
    # Nothing stands between time and body. The body is no JSON then, and refused for that.
    "a digit moved from the time to the body": Post(t=str(NOW)[:-1], body=b"0" + BODY),
}  # fmt: skip

FORGED = {
    "empty": Post(""),
    "space": Post(" "),
    "equals signs": Post("===="),
    "word": Post("nonsense"),
    "JSON": Post("{}"),
    "v1 in front": Post(f"v1,{GOOD}"),
    "cut short": Post(GOOD[:-4]),
    "first half": Post(GOOD[:48]),
    "without its padding": Post(GOOD.rstrip("=")),
    "upper case": Post(GOOD.upper()),
    "hex": Post(DER.hex()),
    "a byte more": Post(encoded(DER + b"\0")),
    "a byte less": Post(encoded(DER[:-1])),
    "other byte": Post(encoded(DER[:-1] + bytes([DER[-1] ^ 1]))),
    "no DER": Post(encoded(R.to_bytes(32, "big") + S.to_bytes(32, "big"))),
    "DER of another type": Post(encoded(b"\x31" + DER[1:])),
    "empty DER": Post(encoded(b"\x30\x00")),
    "zeros": numbers(0, 0),
    "r zero": numbers(0, S),
    "s zero": numbers(R, 0),
    "r and s swapped": numbers(S, R),
    "r plus the order": numbers(R + ORDER, S),
    "s plus the order": numbers(R, S + ORDER),
    "ones": numbers(1, 1),
    "the order": numbers(ORDER, ORDER),
    "huge numbers": numbers(2**4000, 2**4000),
    "other key": Post(encoded(der(key=OTHER_KEY))),
    "signed with P-384": Post(encoded(der(key=P384_KEY))),
    "SHA-1": Post(encoded(der(digest=hashes.SHA1()))),  # noqa: S303  a wrong one on purpose
    "SHA-512": Post(encoded(der(digest=hashes.SHA512()))),
    "other body": Post(body=b"[]"),
    "without the last line end": Post(body=BODY.rstrip()),
    "with another line end": Post(body=BODY.rstrip() + b"\n"),
    "with a line end more": Post(body=BODY + b"\r\n"),
    "with a space more": Post(body=BODY + b" "),
    "body signed alone": Post(encoded(der(""))),
    "with a dot between": Post(encoded(der(f"{NOW}."))),
    "other time": Post(t=str(NOW + 1)),
    "latin letter": Post(f"{GOOD[:-1]}é"),
    "emoji": Post("🙂"),
    "half of a surrogate pair": Post("\ud800"),
    "other public key": Post(public_key=text_of(OTHER_KEY.public_key())),
    "RSA key": Post(public_key=RSA),
    "Ed25519 key": Post(public_key=ED25519),
    "key that is a word": Post(public_key="nonsense"),
    "key with a byte less": Post(public_key=encoded(base64.b64decode(PUBLIC)[:-1])),
    "key off the curve": Post(public_key=encoded(base64.b64decode(PUBLIC)[:-1] + b"\0")),
    "key in other letters": Post(public_key=f"é{PUBLIC}"),
    "key as PEM": Post(
        public_key=f"-----BEGIN PUBLIC KEY-----\n{PUBLIC}\n-----END PUBLIC KEY-----"
    ),
    "no key": Post(public_key=""),
    "blank key": Post(public_key=" "),
}  # fmt: skip

# What the library accepts and we refuse, each with the reason.
STRICTER = {
    "more padding": (Post(f"{GOOD}===="), "it overlooks what is no base64"),
    "twice": (Post(GOOD + GOOD), "it stops reading at the padding"),
    "letters beyond base64": (Post(f"*{GOOD}"), "it leaves out what is no base64"),
    "quoted": (Post(f'"{GOOD}"'), "the same"),
    "line end in the middle": (Post(f"{GOOD[:9]}\n{GOOD[9:]}"), "the same"),
    "spaces around": (Post(f" {GOOD} "), "the same"),
    "NUL behind": (Post(f"{GOOD}\0"), "the same"),
    "empty time": (at(""), "it takes any text as time"),
    "word as time": (at("now"), "any text"),
    "time zero": (at(0), "any text; no event is of 1970"),
    "negative time": (at(-NOW), "any text"),
    "time with a fraction": (at(f"{NOW}.0"), "any text"),
    "plus sign": (at(f"+{NOW}"), "any text"),
    "leading zero": (at(f"0{NOW}"), "any text"),
    "underscores": (at("1_750_000_000"), "any text"),
    "space before time": (at(f" {NOW}"), "any text"),
    "13 digits": (at("9" * 13), "any text"),
    "5,000 digits": (at("9" * 5000), "any text"),
    "Arabic digits": (at(with_digits_from(ARABIC, NOW)), "any text"),
    "body moved into the time": (
        Post(t=str(NOW) + BODY[:1].decode(), body=BODY[1:]), "any text, even a part of the body",
    ),
}  # fmt: skip


def ours(post: Post) -> bool:
    return verify_sendgrid_signature(post.body, post.t, post.signature, post.public_key)


def librarys(post: Post) -> bool:
    try:
        webhook = EventWebhook(post.public_key)
        answer: bool = webhook.verify_signature(post.body.decode(), post.signature, post.t)
    except Exception:  # binascii.Error, ValueError, TypeError, AttributeError without a key ...
        return False
    return answer


def test_the_librarys_own_vector_is_genuine_with_its_line_end_alone():
    def vector(body: bytes) -> bool:
        return verify_sendgrid_signature(body, "1600112502", VECTOR_SIGNATURE, VECTOR_KEY)

    assert vector(VECTOR_BODY) is True
    assert vector(VECTOR_BODY.rstrip()) is False


@pytest.mark.parametrize("post", GENUINE.values(), ids=GENUINE)
def test_what_sendgrid_signed_is_accepted_by_both(post: Post):
    assert (ours(post), librarys(post)) == (True, True)


@pytest.mark.parametrize("post", FORGED.values(), ids=FORGED)
def test_what_sendgrid_did_not_sign_is_refused_by_both(post: Post):
    assert (ours(post), librarys(post)) == (False, False)


@pytest.mark.parametrize(("post", "reason"), STRICTER.values(), ids=STRICTER)
def test_what_only_the_library_accepts_is_refused_for_a_reason(post: Post, reason: str):
    assert (ours(post), librarys(post)) == (False, True), reason


def test_a_body_that_is_not_utf_8_is_judged_by_its_signature():
    assert ours(with_body(b"\xff\xfe")) is True


@pytest.mark.parametrize(
    ("age", "fresh"), [(0, True), (599, True), (600, True), (601, False), (86_400, False)]
)
def test_with_a_greatest_age_older_deliveries_are_refused(age: int, fresh: bool):
    post = at(NOW - age)
    for max_age, accepted in ((600, fresh), (None, True)):
        verdict = verify_sendgrid_signature(
            post.body, post.t, post.signature, post.public_key, max_age
        )
        assert (max_age, verdict) == (max_age, accepted)


def test_an_age_is_counted_from_the_present(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(time, "time", lambda: NOW + 601.0)
    assert not verify_sendgrid_signature(BODY, str(NOW), GOOD, PUBLIC, max_age=600)


def test_no_damaged_signature_is_accepted_that_the_library_refuses():
    chance = random.Random(7)  # noqa: S311  a fixed seed, so that a failure comes back
    for _ in range(1000):
        header = list(GOOD)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(header))
            header[place : place + chance.randint(0, 2)] = chance.choice("=,v1+A \0é9")
        post = Post("".join(header))
        assert not ours(post) or librarys(post), post.signature
