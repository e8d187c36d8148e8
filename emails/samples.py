"""Data that the samples of several emails share: nobody's real name, and what breaks a layout."""

TO = "ann@example.com"
LONG_WORD = "Wolfeschlegelsteinhausenbergerdorff" * 2 + "-Montgomery"
RIGHT_TO_LEFT = "ليلى الحسن"
HOSTILE = '<img src=x onerror=alert(1)>"</td>'
LINK = "you won: https://evil.example"
NAMES = {
    "normal": {"to": TO, "name": "Ann"},
    "long name": {"to": TO, "name": LONG_WORD},
    "right to left": {"to": TO, "name": RIGHT_TO_LEFT},
    "hostile markup": {"to": TO, "name": HOSTILE},
    "a link for a name": {"to": TO, "name": LINK},
}
"""The samples of an email that only greets by name."""
