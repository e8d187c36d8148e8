"""Logging for web and worker alike: text or JSON lines on stderr, addresses masked, tokens cut.

Nothing here writes a subject or a body, and no caller passes one.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

# Each word is taken whole (`*+`) and tried where it begins, or long ones would take quadratic time.
# %40 and %2540 are what an @ becomes in a URL, and in a URL within a URL.
_ADDRESS = re.compile(
    r"""
    (?: (?<![\w.+%-]) (?<![\w.+%-]') | (?<=%40) )  # not within a word; a quote may stand before
    ([\w.+%-])
    (?: [\w.+'-] | %(?!(?:25)*40) )*+               # o'brien is one word
    [!#$&'*/=?^`{|}~]*+
    (
        (?: @ | %(?:25)*40 )
        (?: [\w-] | %(?!(?:25)*40) )++
        (?: \. (?: [\w-] | %(?!(?:25)*40) )++ )+
    )
    """,
    re.VERBOSE,
)
_TOKEN = re.compile(r"(token=|/unsubscribe/|/confirm/)[^\s&\"']+")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def mask(text: str) -> str:
    """`text` with each `ann@example.com` as `a***@example.com`, and tokens in links cut out."""
    if not any(each in text for each in ("@", "%", "token=", "/unsubscribe/", "/confirm/")):
        return text  # most have none, and to search for it costs more than all else here
    return _TOKEN.sub(r"\1…", _ADDRESS.sub(r"\1***\2", text))


def configure(log_format: str, level: str) -> None:
    """Give the root logger our one handler. Safe to call for each app; other handlers stay."""
    handler = _StderrHandler()
    handler.setFormatter(make_formatter(log_format))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _StderrHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


def make_formatter(log_format: str) -> logging.Formatter:
    """The formatter for LOG_FORMAT `text` or `json`."""
    return _JsonFormatter() if log_format == "json" else _TextFormatter()


def email_line(
    logger: logging.Logger, level: int, what: str, *, email_id: str, to: str, **facts: Any
) -> None:
    """The one line about an email: what happened, our id, the masked address, the known facts."""
    known = {name: value for name, value in facts.items() if value is not None}
    fields = {"email_id": email_id, "to": mask(to), **known}
    text = " ".join(f"{name}={value}" for name, value in fields.items())
    logger.log(level, "email %s %s", what, text, extra={"event": f"email_{what}", **fields})


class _StderrHandler(logging.StreamHandler[TextIO]):
    # Looks stderr up at each line: test runners and daemons replace it.
    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute in the base class
        return sys.stderr


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], _COLOUR.sub("", text))


class _TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _time(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        # One event, one line: a typed newline must not forge a second one.
        line = super().formatMessage(record)
        if record.name == "werkzeug":  # the development server: it stamps and escapes by itself
            return _COLOUR.sub("", record.message)
        return _one_line(line)

    def formatException(self, ei: Any) -> str:
        # Indented, for the same reason: only a record begins at the margin.
        return "\n".join(
            f"  {_one_line(line)}" for line in super().formatException(ei).splitlines()
        )

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


class _JsonFormatter(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level"},
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _time(record)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        masked: dict[str, Any] = _masked(log_data)  # before JSON: escapes would break the patterns
        return masked


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {name: _masked(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each) for each in value]
    return value
