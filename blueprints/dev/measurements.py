"""What can be measured on a composed email. The gallery shows it, and the tests demand it."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from attrs import frozen

from blueprints.dev.reader import Reader, words
from emails import MAX_SUBJECT
from message import EmailMessage

MAX_HTML = 102 * 1024  # bytes; Gmail hides what comes after them behind a link
SHORTEST_PREHEADER, LONGEST_PREHEADER = 30, 120  # what says something, and what inboxes show
LEAST_COVERAGE = 0.9  # how many of the words in the HTML the text has too
OUTLOOK_OPENS, OUTLOOK_CLOSES = "<!--[if mso]>", "<![endif]-->"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@frozen
class Measurement:
    """What was measured, its value to read, and what is wrong ("" if nothing)."""

    name: str
    value: str
    problem: str = ""


def measure(message: EmailMessage) -> list[Measurement]:
    """Every measurement of `message`, in the order in which the gallery shows them."""
    seen = Reader(message.html)
    return [
        _size(message),
        _subject(message),
        _preheader(seen),
        _links(seen),
        _images(seen),
        _text(message, seen),
        _markup(message, seen),
    ]


def _size(message: EmailMessage) -> Measurement:
    size = len(message.html.encode())
    problem = "Gmail would hide the end of it" if size > MAX_HTML else ""
    return Measurement("Size", f"{size / 1024:.1f} of {MAX_HTML // 1024} KB", problem)


def _subject(message: EmailMessage) -> Measurement:
    length = len(message.subject)
    problem = "inboxes cut it off" if length > MAX_SUBJECT else ""
    return Measurement("Subject", f"{length} of {MAX_SUBJECT} characters", problem)


def _preheader(seen: Reader) -> Measurement:
    length = len(seen.preheader)
    fits = SHORTEST_PREHEADER <= length <= LONGEST_PREHEADER
    problem = "" if fits else f"make it {SHORTEST_PREHEADER} to {LONGEST_PREHEADER}"
    return Measurement("Preheader", f"{length} characters", problem)


def _links(seen: Reader) -> Measurement:
    wrong = [url for url in seen.links if not _leads_somewhere(url)]
    problem = f"not absolute and https: {', '.join(wrong)}" if wrong else ""
    return Measurement("Links", str(len(seen.links)), problem)


def _leads_somewhere(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "http":
        return parts.hostname in LOOPBACK  # where APP_URL points in development
    return bool(parts.scheme == "https" and parts.hostname) or bool(
        parts.scheme == "mailto" and parts.path
    )


def _images(seen: Reader) -> Measurement:
    wrong = [image.get("src", "") for image in seen.images if not {"alt", "width"} <= image.keys()]
    problem = f"without alt or width: {', '.join(wrong)}" if wrong else ""
    return Measurement("Images", str(len(seen.images)), problem)


def _text(message: EmailMessage, seen: Reader) -> Measurement:
    in_html, in_text = Counter(seen.words), Counter(words(message.text))
    covered = (in_html & in_text).total() / max(in_html.total(), 1)
    lost = [url for url in seen.links if url.removeprefix("mailto:") not in message.text]
    problem = ""
    if lost:
        problem = f"the text lacks the links {', '.join(lost)}"
    elif covered < LEAST_COVERAGE:
        problem = f"the text lacks the words {', '.join(in_html - in_text)}"
    return Measurement("Text", f"{covered:.0%} of the words", problem)


def _markup(message: EmailMessage, seen: Reader) -> Measurement:
    problems = seen.problems + list(_outlook_problems(message.html))
    return Measurement("Markup", f"{len(problems)} problems", "; ".join(problems))


def _outlook_problems(html: str) -> Iterator[str]:
    halves = re.findall(r"<!--\[if [^>]*>|<!\[endif\]-->", html)
    if halves != [OUTLOOK_OPENS, OUTLOOK_CLOSES] * (len(halves) // 2):
        yield f"conditional comments do not take turns: {' '.join(halves)}"
    for problem in Reader(html.replace(OUTLOOK_OPENS, "").replace(OUTLOOK_CLOSES, "")).problems:
        yield f"in Outlook {problem}"
