"""The corpus of `Stripe-Signature` headers: what must be accepted, and what must be refused.

Templates, filled per request. `{t}` is the time of the case and `{good}` and `{old}` are true
signatures over it with the new and the old secret; the other names are in `fill`. A line break
starts a second header line. Nothing here may be refused, or accepted, for another reason than its
name tells, so all other parts of a header are right.
"""

import base64
import hashlib
import hmac
import time
from typing import NamedTuple

from tools.provider_events import stripe_digest
from tools.site import SECRETS
from tools.wire import raw_text

NEW, OLD = SECRETS
REMOVED = "whsec_removed"

ACCEPTED = {
    "as Stripe sends it": "t={t},v1={good}",
    "signature before time": "v1={good},t={t}",
    "good first of two": "t={t},v1={good},v1={bad}",
    "good last of two": "t={t},v1={bad},v1={good}",
    "good first of three": "t={t},v1={good},v1={bad},v1={removed}",
    "good in the middle": "t={t},v1={bad},v1={good},v1={removed}",
    "good last of three": "t={t},v1={bad},v1={removed},v1={good}",
    "good last of a hundred": "t={t}," + "v1={bad}," * 99 + "v1={good}",
    "time in the middle": "v1={bad},t={t},v1={good}",
    "both secrets, new first": "t={t},v1={good},v1={old}",
    "both secrets, old first": "t={t},v1={old},v1={good}",
    "old secret alone": "t={t},v1={old}",
    "the same one twice": "t={t},v1={good},v1={good}",
    "test scheme beside it": "t={t},v1={good},v0={bad}",
    "test scheme first": "v0={bad},t={t},v1={good}",
    "scheme of the future": "t={t},v2={bad},v1={good}",
    "unknown item": "t={t},region=eu,v1={good}",
    "item without a value": "t={t},x,v1={good}",
    "broken v1 beside it": "t={t},v1=,v1={short},v1={good}",
    "foreign letters beside it": "t={t},v1=ä,v1={good}",
    "comma at the end": "t={t},v1={good},",
    "comma in front": ",t={t},v1={good}",
    "many commas": "t={t}" + "," * 4000 + "v1={good}",
    "spaces around": "   t={t},v1={good}   ",
    "two header lines": "t={t}\nv1={good}",
}

REFUSED = {
    "empty": "",
    "one word": "signature",
    "comma": ",",
    "equals sign": "=",
    "time alone": "t={t}",
    "signature alone": "v1={good}",
    "no time given": "t=,v1={good}",
    "no signature given": "t={t},v1=",
    "only the test scheme": "t={t},v0={good}",
    "only a future scheme": "t={t},v2={good}",
    "capital scheme": "t={t},V1={good}",
    "capital t": "T={t},v1={good}",
    "semicolon": "t={t};v1={good}",
    "space for a comma": "t={t} v1={good}",
    "space after the comma": "t={t}, v1={good}",
    "tab before the scheme": "t={t},\tv1={good}",
    "colons": "t:{t},v1:{good}",
    "two equals signs": "t={t},v1=={good}",
    "quoted": 't={t},v1="{good}"',
    "JSON": '{{"t": {t}, "v1": "{good}"}}',
    "percent-encoded": "t%3D{t}%2Cv1%3D{good}",
    "capital digits": "t={t},v1={capital}",
    "0x in front": "t={t},v1=0x{good}",
    "last digit missing": "t={t},v1={short}",
    "one digit more": "t={t},v1={good}0",
    "first half": "t={t},v1={half}",
    "twice in one value": "t={t},v1={good}{good}",
    "in two items": "t={t},v1={half},v1={second_half}",
    "bit flipped": "t={t},v1={flipped}",
    "reversed": "t={t},v1={reversed}",
    "zeros": "t={t},v1=" + "0" * 64,
    "base64": "t={t},v1={base64}",
    "removed secret": "t={t},v1={removed}",
    "empty secret": "t={t},v1={unkeyed}",
    "secret without whsec_": "t={t},v1={stripped}",
    "both secrets as one": "t={t},v1={joined}",
    "the secret itself": "t={t},v1=whsec_guess",
    "over the body alone": "t={t},v1={body_alone}",
    "without the dot": "t={t},v1={no_dot}",
    "over no body": "t={t},v1={no_body}",
    "over another body": "t={t},v1={other_body}",
    "over another time": "t={t},v1={other_time}",
    "SHA-1": "t={t},v1={sha1}",
    "SHA-512": "t={t},v1={sha512}",
    "plain SHA-256": "t={t},v1={unsigned}",
    "time twice": "t={t},t={t},v1={good}",
    "old time after the signed one": "t={t},t=1,v1={good}",
    "time added in front": "t=1,t={t},v1={good}",
    "two whole header lines": "t={t},v1={good}\nt={t},v1={good}",
    "foreign letter in front": "t={t},v1=é{good}",
    "foreign letter behind": "t={t},v1={good}é",
    "byte 255": "t={t},v1=\udcff{good}",
    "byte 160, a Latin-1 space": "t={t},v1={good}\udca0",
    "byte order mark": "\ufefft={t},v1={good}",
    "zero-width space": "t={t},v1={good}\u200b",
    "wide letters": "t={t},\uff561={good}",
    "emoji": "t={t},v1=💌",
    "half of a pair": "t={t},v1=\udced\udca0\udc80",
    "a hundred bad ones": "t={t}" + ",v1={bad}" * 100,
    "commas alone": "," * 8000,
    "template": "t={t},v1={{{{7*7}}}}",
}

# The signature is true for the time as it is written here; `{now}` is the present second.
TIMES = {
    "290 s old": ("{-290}", True),
    "290 s ahead": ("{+290}", True),
    "310 s old": ("{-310}", False),
    "310 s ahead": ("{+310}", False),
    "a day old": ("{-86400}", False),
    "a day ahead": ("{+86400}", False),
    "epoch": ("0", False),
    "plus sign": ("+{+0}", False),
    "minus sign": ("-{+0}", False),
    "zero in front": ("0{+0}", False),
    "underscores": ("1_{+0}", False),
    "space in front": (" {+0}", False),
    "space behind": ("{+0} ", False),
    "fraction": ("{+0}.0", False),
    "exponent": ("{+0}e0", False),
    "hexadecimal": ("0x6553f100", False),
    "milliseconds": ("{+0}000", False),
    "Arabic digits": ("{arabic}", False),
    "wide digits": ("{wide}", False),
    "superscript": ("{+0}²", False),
    "infinity": ("inf", False),
    "no number": ("nan", False),
    "word": ("now", False),
    "400 digits": ("9" * 400, False),
    "5,000 digits": ("1" * 5000, False),
    "12 nines": ("9" * 12, False),
}

# Refused by the server itself, in words of its own.
NOT_HTTP = {
    "NUL": "t={t},v1={good}\0",
    "carriage return": "t={t},\rv1={good}",
    "folded": "t={t},{fold}v1={good}",
    "escape": "\x1b[31mt={t},v1={good}",
    "100,000 commas": "," * 100_000,
    "10,000 signatures": "t={t}" + ",v1={bad}" * 10_000,
}

HEADER_NAMES = {
    "lower case": ("stripe-signature", True),
    "upper case": ("STRIPE-SIGNATURE", True),
    "underscore": ("Stripe_Signature", False),
    "another name": ("X-Stripe-Signature", False),
    "WSGI name": ("HTTP_STRIPE_SIGNATURE", False),
}


class Case(NamedTuple):
    """A header template with its time template, and whether it must be accepted."""

    name: str
    template: str
    accepted: bool
    time: str = "{+0}"


CASES = [
    *(Case(name, template, True) for name, template in ACCEPTED.items()),
    *(Case(name, template, False) for name, template in REFUSED.items()),
    *(
        Case(f"time: {name}", "t={t},v1={good}", accepted, written)
        for name, (written, accepted) in TIMES.items()
    ),
]


def fill(case: Case, body: bytes) -> list[bytes]:
    """The header lines of a case for `body`, signed now."""
    now = int(time.time())
    t = _written(case.time, now)
    good = stripe_digest(body, t, NEW)
    digest = bytes.fromhex(good)
    values = {
        "t": t,
        "good": good,
        "old": stripe_digest(body, t, OLD),
        "bad": stripe_digest(body, t, "whsec_nobody"),
        "removed": stripe_digest(body, t, REMOVED),
        "capital": good.upper(),
        "fold": "\r\n ",
        "short": good[:-1],
        "half": good[:32],
        "second_half": good[32:],
        "flipped": f"{int(good[0], 16) ^ 1:x}{good[1:]}",
        "reversed": digest[::-1].hex(),
        "base64": base64.b64encode(digest).decode(),
        "unkeyed": stripe_digest(body, t, ""),
        "stripped": stripe_digest(body, t, NEW.removeprefix("whsec_")),
        "joined": stripe_digest(body, t, ",".join(SECRETS)),
        "body_alone": _hmac(NEW, body),
        "no_dot": _hmac(NEW, t.encode() + body),
        "no_body": stripe_digest(b"", t, NEW),
        "other_body": stripe_digest(body + b" ", t, NEW),
        "other_time": stripe_digest(body, now - 1, NEW),
        "sha1": _hmac(NEW, f"{t}.".encode() + body, "sha1"),
        "sha512": _hmac(NEW, f"{t}.".encode() + body, "sha512"),
        "unsigned": hashlib.sha256(f"{t}.".encode() + body).hexdigest(),
    }
    return [raw_text(line.format_map(values)) for line in case.template.split("\n")]


def _written(template: str, now: int) -> str:
    """A time template; `{+5}` is the present second and five."""
    digits = str(now)
    if template in ("{arabic}", "{wide}"):
        zero = ord("\u0660" if template == "{arabic}" else "\uff10")
        return "".join(chr(zero + int(digit)) for digit in digits)
    head, brace, rest = template.partition("{")
    if not brace:
        return template
    offset, _, tail = rest.partition("}")
    return f"{head}{now + int(offset)}{tail}"


def _hmac(secret: str, signed: bytes, digest: str = "sha256") -> str:
    return hmac.new(secret.encode(), signed, digest).hexdigest()
