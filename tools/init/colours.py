"""One colour of a brand, and what follows from it: two accents that can be read, and what stands
on them. Contrast as WCAG 2 has it, 4.5:1 or more.
"""

import re

from attrs import frozen

READABLE = 4.5
LIGHT_GROUND, DARK_GROUND = "#f3f5f8", "#252d3a"  # the least favourable of both themes
INK, PAPER = "#0d1526", "#ffffff"


@frozen
class Accent:
    """`strong` is for a pointer above it; `on` is the text that stands on it."""

    plain: str
    strong: str
    on: str


def accents(colour: str) -> tuple[Accent, Accent]:
    """The accents in light and in dark for a colour such as `#0b6e4f`. Raises `ValueError`."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError(f"COLOUR must be like #0b6e4f, not {colour!r}")
    light = _until_readable(colour.lower(), towards="#000000", on=LIGHT_GROUND)
    dark = _until_readable(colour.lower(), towards=PAPER, on=DARK_GROUND)
    return (
        Accent(light, _mixed(light, "#000000", 0.25), PAPER),
        Accent(dark, _mixed(dark, PAPER, 0.35), INK),
    )


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _until_readable(colour: str, towards: str, on: str) -> str:
    steps = (_mixed(colour, towards, step / 20) for step in range(20))
    return next(each for each in steps if contrast(each, on) >= READABLE)


def _mixed(colour: str, other: str, share: float) -> str:
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _luminance(colour: str) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (each / 255 for each in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
