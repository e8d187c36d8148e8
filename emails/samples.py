"""Data that the samples of several emails share: nobody's real name, and what breaks a layout."""

TO = "ann@example.com"
LONG_WORD = "Wolfeschlegelsteinhausenbergerdorff" * 2 + "-Montgomery"
RIGHT_TO_LEFT = "ليلى الحسن"
HOSTILE = '<img src=x onerror=alert(1)>"</td>'
