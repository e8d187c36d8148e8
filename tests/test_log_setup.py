"""Log lines: one event, one line, no whole address, no token, in text and in JSON."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from log_setup import configure, email_line, make_formatter, mask

FORMATS = ["text", "json"]
SEPARATORS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00"]


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def line(log_format: str, message: str, *args: Any, name: str = "shop", **extra: Any) -> str:
    record = logging.LogRecord(name, logging.INFO, __file__, 1, message, args, None)
    record.created = 1_750_000_000.25
    vars(record).update(extra)
    return make_formatter(log_format).format(record)


def test_a_text_line_says_when_how_grave_and_where():
    assert line("text", "sent %d", 3) == "2025-06-15T15:06:40.250Z INFO shop: sent 3"


def test_a_json_line_says_the_same_with_its_extra_fields():
    assert json.loads(line("json", "sent %d", 3, event="email_sent")) == {
        "time": "2025-06-15T15:06:40.250Z",
        "level": "INFO",
        "name": "shop",
        "message": "sent 3",
        "event": "email_sent",
    }


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ann@example.com", "a***@example.com"),
        ("to=Ann.Lee+x@mail.example.com;", "to=A***@mail.example.com;"),
        ('"Ann" <ann@example.com>, bob@example.org', '"Ann" <a***@example.com>, b***@example.org'),
        ("mailto:ann@example.com?x", "mailto:a***@example.com?x"),
        ("/inbox/ann@example.com", "/inbox/a***@example.com"),
        ("a@example.com", "a***@example.com"),
        ("ann!@example.com", "a***@example.com"),
        ("änn@münchen.example", "ä***@münchen.example"),
        ("o'brien@example.com", "o***@example.com"),
        ("{'to': 'o'brien@example.com'}", "{'to': 'o***@example.com'}"),
        ("/contacts/ann.lee%40example.com: 404", "/contacts/a***%40example.com: 404"),
        ("?email=o%27brien%40example.com&x=2", "?email=o***%40example.com&x=2"),
        ("next=%2Fto%3Fa%3Dann%2540example.com", "next=%***%2540example.com"),
        ("x%40y%40example.com", "x%40y***%40example.com"),
        ("ann%40m%C3%BCnchen.example", "a***%40m%C3%BCnchen.example"),
        ("100%40 of them", "100%40 of them"),
        ("user@localhost and @decorator", "user@localhost and @decorator"),
        ("/reset-password?token=abc.DEF-1&x=2", "/reset-password?token=…&x=2"),
        ('"GET /unsubscribe/abc.DEF HTTP/1.1"', '"GET /unsubscribe/… HTTP/1.1"'),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_addresses_are_masked_and_tokens_cut(text: str, masked: str):
    assert mask(text) == masked
    assert line("text", "%s", text).endswith(f" {masked}")
    assert json.loads(line("json", "%s", text))["message"] == masked


def test_extra_fields_are_masked_at_any_depth():
    data = {"args": ["token=abc", ("bob@example.com", 5)]}
    parsed = json.loads(line("json", "x", to="ann@example.com", data=data))
    assert parsed["to"] == "a***@example.com"
    assert parsed["data"] == {"args": ["token=…", ["b***@example.com", 5]]}


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_what_a_visitor_types_forges_no_second_line(log_format: str, separator: str):
    written = line(log_format, "from %s", f"Ann{separator}2025-06-15T15:06:41Z INFO shop: paid")
    assert len(written.splitlines()) == 1
    assert separator not in written


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("code", ["\x1b[31m", "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x08"])
def test_what_a_visitor_types_does_not_steer_the_terminal(log_format: str, code: str):
    written = line(log_format, "from %s", f"Ann{code}")
    assert written.isprintable()


@pytest.mark.parametrize(
    "text",
    ['token=abc", "level": "CRITICAL', "élise@example.com", "\\", "\nann@example.com", "\ud800"],
)
def test_a_json_line_stays_json_and_keeps_its_fields(text: str):
    parsed = json.loads(line("json", "%s", text))
    assert parsed["level"] == "INFO"
    assert parsed["message"] == mask(text)


def test_the_banner_of_the_development_server_keeps_its_lines_but_not_its_colours():
    banner = "\x1b[31mWARNING\x1b[0m\n * Running on http://127.0.0.1:5000"
    plain = "WARNING\n * Running on http://127.0.0.1:5000"
    assert line("text", banner, name="werkzeug") == plain


def raised(log_format: str, message: str) -> str:
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "failed", (), None)
    try:
        raise ValueError(message)
    except ValueError:
        record.exc_info = sys.exc_info()
    return make_formatter(log_format).format(record)


def test_a_traceback_follows_indented_so_that_only_records_stand_at_the_margin():
    written = raised("text", "ann@example.com\n2025-06-15T15:06:41Z INFO shop: paid\x1b[2J")
    first, *rest = written.split("\n")
    assert first.endswith("ERROR shop: failed")
    assert rest[0] == "  Traceback (most recent call last):"
    assert all(each.startswith("  ") and each.isprintable() for each in rest)
    assert "a***@example.com" in written
    assert "ann@" not in written


def test_a_traceback_in_json_is_a_masked_field():
    parsed = json.loads(raised("json", "token=abc ann@example.com"))
    assert parsed["exc_info"].endswith("ValueError: token=… a***@example.com")


@pytest.mark.parametrize("word", ["a", "a'", "a%", "a%40", "a@", "'", "!", "a!", "%40", "a%40a"])
def test_long_words_are_masked_in_no_time(word: str):
    text = f"@{word * 200_000}"
    assert mask(text) == text  # quadratic, this would take two minutes


def test_configuring_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]):
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    configure("json", "INFO")
    configure("text", "WARNING")
    logging.getLogger("shop").info("not this")
    logging.getLogger("shop").warning("this")
    written = capsys.readouterr().err
    assert written.endswith(" WARNING shop: this\n")
    assert written.count("\n") == 1
    assert other in logging.getLogger().handlers


def test_a_replaced_stderr_gets_the_next_line(monkeypatch: pytest.MonkeyPatch):
    configure("text", "INFO")
    for text in ("one", "two"):
        replaced = io.StringIO()
        monkeypatch.setattr(sys, "stderr", replaced)
        logging.getLogger("shop").info(text)
        assert replaced.getvalue().endswith(f"INFO shop: {text}\n")


@pytest.mark.parametrize("log_format", FORMATS)
def test_the_line_about_an_email_has_what_is_known_and_no_whole_address(
    log_format: str, capsys: pytest.CaptureFixture[str]
):
    configure(log_format, "INFO")
    email_line(
        logging.getLogger("outbox"),
        logging.WARNING,
        "failed",
        email_id="0190",
        to="ann@example.com",
        provider="resend",
        status=422,
        wait=None,
    )
    written = capsys.readouterr().err
    text = "email failed email_id=0190 to=a***@example.com provider=resend status=422"
    if log_format == "text":
        assert written.endswith(f" WARNING outbox: {text}\n")
    else:
        parsed = json.loads(written)
        del parsed["time"]
        assert parsed == {
            "level": "WARNING",
            "name": "outbox",
            "message": text,
            "event": "email_failed",
            "email_id": "0190",
            "to": "a***@example.com",
            "provider": "resend",
            "status": 422,
        }


def test_other_handlers_get_no_whole_address_about_an_email_either(
    caplog: pytest.LogCaptureFixture,
):
    email_line(logging.getLogger("x"), logging.ERROR, "failed", email_id="1", to="ann@example.com")
    assert "ann@" not in str(vars(caplog.records[0]))
