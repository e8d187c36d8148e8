"""JSON that is truly signed and yet not what its reader hopes for."""

import json
from random import Random
from typing import Any

HOLE = "a hole in the JSON"

# As they stand in a body. `json` reads the most of them, and what it reads may be no text.
ODD_VALUES: tuple[bytes, ...] = (
    *(b"null", b"true", b"0", b"-1", b"1.5", b"NaN", b"Infinity", b"-Infinity", b"1e400"),
    *(b"[]", b"[[]]", b"{}", b"[1, 2]", b'{"a": 1}', b"[null]", b'[{"a": {}}]', b'{"": ""}'),
    *(b'""', b'" "', b'"x"', b'"0"', b'"\\u0000"', b'"ann@example.com\\u0000"', b'"\\ud800"'),
    *(b'"\\udfff\\ud800"', b'"\\u2028\\u0085\\u001b[31m"', b'"\\ud83d\\udc8c"', b'"\\r\\nX: y"'),
    *(b'"ann@example.com\\r\\nBcc: x@example.com"', b'"ann@example.com, bob@example.com"'),
    *(b'"@"', b'"ann@"', b'"<ann@example.com>"', b'"' + b"a" * 400 + b'@example.com"'),
    *(b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59-23:59"', b'"2026-13-45"'),
    *(b'"-1"', b'"\\u0663"', b'"1e9"', b'"99999999999999999999"', b"-62135596801", b"1e18"),
    *(b"253402300800", b"-99999999999999999999", b"9" * 4000, b"9" * 5000, b"1" * 5000),
    *(b'"' + b"x" * 100_000 + b'"', b"[" * 100_000 + b"]" * 100_000, b"[" * 900 + b"]" * 900),
    *(b'"\xff"', b'"\xed\xa0\x80"', b'"\n"', b"'x'", b"undefined", b"01", b"[1,]", b""),
)


def broken(chance: Random, value: Any) -> bytes:
    """`value` as JSON that is broken in one of many ways."""
    ways = (_odd_value, _odd_value, _odd_value, _missing, _twice, _edited, _wrapped, _encoded)
    return chance.choice(ways)(chance, value)


def _odd_value(chance: Random, value: Any) -> bytes:
    """Something else in one place, which may be all of it."""
    hole = with_hole(value, chance.choice([(), *places(value)]))
    text = json.dumps(hole).encode()
    return text.replace(json.dumps(HOLE).encode(), chance.choice(ODD_VALUES))


def _missing(chance: Random, value: Any) -> bytes:
    """Some of it is not there."""
    copy = json.loads(json.dumps(value))
    for _ in range(chance.randint(1, 3)):
        left = places(copy)
        if left:
            holder, name = _holder(copy, chance.choice(left))
            del holder[name]
    return json.dumps(copy).encode()


def _twice(chance: Random, value: Any) -> bytes:
    """A key stands there twice; the last one counts, or the first."""
    name = chance.choice([b"id", b"type", b"event", b"email", b"data", b"email_id"])
    pair = b'"%s": %s' % (name, chance.choice(ODD_VALUES[:40]))
    text = json.dumps(value).encode()
    if chance.random() < 0.5:
        return text.replace(b"{", b"{%s, " % pair, 1)
    return b", ".join([text[: text.rindex(b"}")], pair]) + text[text.rindex(b"}") :]


def _edited(chance: Random, value: Any) -> bytes:
    """A few letters were replaced."""
    text = json.dumps(value, ensure_ascii=False).encode()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text))
        letter = chance.choice([b"0", b"a", b'"', b"\\", b"{", b"]", b",", b"\xff"])
        text = text[:at] + letter + text[at + 1 :]
    return text


def _wrapped(chance: Random, value: Any) -> bytes:
    """It stands in something else, or beside it."""
    text = json.dumps(value).encode()
    shapes = (
        b"[%s]",
        b"[[%s]]",
        b'{"data": %s}',
        b"[%s, null, 1, [], {}]",
        b"%s %s",
        b"[%s,%s,%s]",
    )
    shape = chance.choice(shapes)
    return shape % ((text,) * shape.count(b"%s"))


def _encoded(chance: Random, value: Any) -> bytes:
    """The bytes are not those of JSON in UTF-8."""
    text = json.dumps(value)
    forms = (text.encode("utf-16"), b"\xef\xbb\xbf" + text.encode(), b"\x1f\x8b" + text.encode())
    return chance.choice(forms)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside `value`."""
    if isinstance(value, dict):
        inside = list(value.items())
    else:
        inside = list(enumerate(value)) if isinstance(value, list) else []
    found = [here] if here else []
    return found + [place for name, each in inside for place in places(each, (*here, name))]


def _holder(value: Any, place: tuple[Any, ...]) -> tuple[Any, Any]:
    for name in place[:-1]:
        value = value[name]
    return value, place[-1]


def with_hole(value: Any, place: tuple[Any, ...]) -> Any:
    """`value` with HOLE at this place; the empty place is all of it."""
    if not place:
        return HOLE
    copy = json.loads(json.dumps(value))
    holder, name = _holder(copy, place)
    holder[name] = HOLE
    return copy
