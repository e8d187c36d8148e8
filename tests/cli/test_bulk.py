"""`flask email send-csv`: real files, on each database, ended in the middle and begun again."""

import hashlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import delete, event, func, select

import outbox
from cli.csv_file import open_csv, with_bar
from database import db, transaction, utc_now
from extensions import email
from outbox import BulkRun, OutboxEmail, State, bulk, retention, suppression
from tests.conftest import MakeApp
from tools.processes import Process, wait_until
from tools.servers import Valkey

WelcomeFile = Callable[[int], Path]


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Flask:
    """An app on each database in which nobody delivers by itself."""
    return make_app(DATABASE_URL=database_url, EMAIL_DELIVERY="thread")


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


@pytest.fixture
def welcome_file(tmp_path: Path) -> WelcomeFile:
    """A file with so many rows for the welcome email."""

    def write(count: int) -> Path:
        rows = [f"user{number}@example.com,User {number}" for number in range(count)]
        return written(tmp_path, "\n".join(["to,name", *rows]))

    return write


def written(folder: Path, text: str | bytes, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def send(runner: FlaskCliRunner, file: Path, *args: str, name: str = "welcome") -> str:
    result = runner.invoke(args=["email", "send-csv", str(file), "--email", name, *args])
    assert result.exit_code == 0, result.output
    return str(result.output)


def refused(
    runner: FlaskCliRunner, file: Path, *args: str, name: str = "welcome", code: int = 1
) -> str:
    result = runner.invoke(args=["email", "send-csv", str(file), "--email", name, *args])
    assert result.exit_code == code, result.output
    return str(result.output)


def stored(app: Flask) -> list[OutboxEmail]:
    """The emails, those of the first rows first."""
    with app.app_context(), transaction() as session:
        rows = list(session.scalars(select(OutboxEmail).order_by(OutboxEmail.id)))
        for row in rows:
            _ = row.message, row.events
        return rows


def count(app: Flask, table: type) -> int:
    with app.app_context(), transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def lines(app: Flask) -> list[int]:
    """The lines of the file of which an email is stored, by their keys."""
    return [int((row.intent_key or "").split(":")[3]) for row in stored(app)]


@contextmanager
def after_each_commit(act: Callable[[], None]) -> Iterator[None]:
    def listener(_session: object) -> None:
        act()

    event.listen(db.session, "after_commit", listener)
    try:
        yield
    finally:
        event.remove(db.session, "after_commit", listener)


def test_each_row_becomes_one_email_with_values_of_the_right_type(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
):
    text = (
        "to,amount,currency,plan,date,tax\n"
        "Ann <ann@example.com>,2900,usd,Pro,2026-03-14,\n"
        "ben@example.com,1000,jpy,Team,,100\n"
    )
    said = send(runner, written(tmp_path, text), name="receipt")
    assert said == (
        "2 emails queued, 0 suppressed, 0 there before; the running app delivers them\n"
    )
    ann, ben = stored(app)
    assert ann.message["to"] == [{"email": "ann@example.com", "name": "Ann"}]
    assert ("$29.00" in ann.subject, "March 14, 2026" in ann.message["text"]) == (True, True)
    assert ("¥1,000" in ben.subject, "¥100" in ben.message["text"]) == (True, True)
    assert (ann.kind, ann.state) == ("receipt", State.QUEUED)
    assert (ann.origin or "").endswith("email send-csv")
    assert ann.due_at <= utc_now()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\xef\xbb\xbfto,name\r\nann@example.com,Ann\r\n", {2: "Ann"}),
        (b"name;to\nAnn, of York;ann@example.com", {2: "Ann, of York"}),
        (b"to\tname\nann@example.com\t Ann \n", {2: "Ann"}),
        (b'to,name\n\nann@example.com,"Ann ""A"""\n,\n\n', {3: 'Ann "A"'}),
        ('to,name\nann@example.com,"Änn, 1"\nben@example.com,B\n'.encode(), {2: "Änn, 1", 3: "B"}),
    ],
    ids=["mark-and-crlf", "semicolons", "tabs", "empty-lines", "quotes"],
)
def test_files_as_spreadsheets_write_them_are_read(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path, text: bytes, expected: dict[int, str]
):
    send(runner, written(tmp_path, text))
    found = {line: row.subject for line, row in zip(lines(app), stored(app), strict=True)}
    assert found == {line: f"Welcome, {name}" for line, name in expected.items()}


def test_a_cell_of_several_lines_is_one_cell_and_the_line_is_where_its_row_begins(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
):
    text = (
        "to,name,email,message\n"
        'a@example.com,Ann,ann@example.com,"Hello,\r\n\r\nyou"\n'
        "a@example.com,Ben,ben@example.com,Hi\n"
    )
    send(runner, written(tmp_path, text), name="contact-notice")
    assert lines(app) == [2, 5]
    assert "Hello,\n\nyou" in stored(app)[0].message["text"]


def test_wrong_rows_are_listed_with_their_lines_and_nothing_is_stored(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
):
    rows = ["ann@example.com,Ann"] * 600 + ["nobody,Ben"] * 23 + ["a@example.com,Ann,x"]
    file = written(tmp_path, "\n".join(["to,name", *rows]))
    said = refused(runner, file)
    assert "line 602: to is not a usable email address" in said
    assert ("line 621:" in said, "line 622:" in said) == (True, False)
    assert "and 4 more\n" in said
    assert "24 rows are wrong; nothing was stored" in said
    assert (count(app, OutboxEmail), count(app, BulkRun)) == (0, 0)
    assert refused(runner, file, "--dry-run") == said


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("a@example.com,29.00,usd,Pro,,", "amount is '29.00', not a whole number like 2900"),
        ("a@example.com,2900,usd,Pro,14.3.2026,", "date is '14.3.2026', not a day like 2026-"),
        ("a@example.com,2900,usd,,,", "plan must not be empty"),
        (",2900,,Pro,,", "to and currency must not be empty"),
        ("a@example.com,2900,usd,Pro", "4 cells for 6 columns"),
        ("a@example.com,2900,usd,Pro,plus,,", "7 cells for 6 columns"),
        ('a@example.com,2900,usd,"Pro" plus,,', "is a quote missing, or one too many?"),
        ('a@example.com,2900,usd,"Pro,,', "is a quote missing, or one too many?"),
        ("a@example.com,2900,usd,Pr\udce9,,", "byte 0xe9 is not UTF-8; save the file as CSV"),
        (f"a@example.com,2900,usd,{'x' * 1_000_000},,", "more than 1,000,000 bytes"),
    ],
)
def test_a_wrong_row_says_what_to_do(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path, cells: str, words: str
):
    text = f"to,amount,currency,plan,date,tax\na@example.com,1,usd,Pro,,\n{cells}\n"
    file = written(tmp_path, text.encode(errors="surrogateescape"))
    said = refused(runner, file, name="receipt")
    assert f"line 3: {words}" in said or ("line 3: " in said and words in said), said
    assert "1 rows are wrong" in said
    assert stored(app) == []


def test_a_time_needs_its_zone(app: Flask, runner: FlaskCliRunner, tmp_path: Path):
    text = "to,reset_url,expires_at\na@example.com,https://app.example.com/r,{}\n"
    file = written(tmp_path, text.format("2040-03-14T09:00"))
    assert "not a time with its zone like 2026-03-14T09:00:00Z" in refused(
        runner, file, name="password-reset"
    )
    send(runner, written(tmp_path, text.format("2040-03-14T09:00+01:00")), name="password-reset")
    [row] = stored(app)
    assert row.expires_at == datetime(2040, 3, 14, 8, tzinfo=UTC)
    assert (row.sensitive, row.if_unknown) == (True, "resend")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("to", "there is no column 'name', which welcome needs; add it"),
        ("name", "there is no column 'to', which welcome needs; add it"),
        ("to,name,age", "welcome takes no 'age'; remove the column, or rename it (to, name,"),
        ("to,name,", "welcome takes no ''; remove the column"),
        ("to,name,to", "the column 'to' is there 2 times; keep one"),
        ("", "there is no column 'to'"),
    ],
)
def test_columns_are_the_arguments_of_the_email(
    runner: FlaskCliRunner, tmp_path: Path, columns: str, words: str
):
    assert words in refused(runner, written(tmp_path, f"{columns}\na@example.com,Ann,1\n"))


def test_what_no_cell_can_hold_is_no_column(runner: FlaskCliRunner, tmp_path: Path):
    file = written(tmp_path, "to,amount,currency,plan,line_items\na@example.com,1,usd,Pro,x\n")
    said = refused(runner, file, name="receipt")
    assert "a CSV cannot hold 'line_items' of receipt; remove the column" in said


def test_other_emails_and_files_that_cannot_be_used_are_refused(
    runner: FlaskCliRunner, welcome_file: WelcomeFile, tmp_path: Path
):
    assert "there are: welcome" in refused(runner, welcome_file(1), name="nope", code=2)
    refused(runner, tmp_path / "nowhere.csv", code=2)
    assert "no row below the columns" in refused(runner, welcome_file(0))


def test_a_dry_run_stores_nothing(app: Flask, runner: FlaskCliRunner, welcome_file: WelcomeFile):
    assert send(runner, welcome_file(3), "--dry-run") == "3 rows are fine; nothing was stored\n"
    assert (count(app, OutboxEmail), count(app, BulkRun)) == (0, 0)


def test_a_file_is_queued_once_and_again_when_told_so(
    app: Flask, runner: FlaskCliRunner, welcome_file: WelcomeFile, tmp_path: Path
):
    file = welcome_file(3)
    send(runner, file)
    said = refused(runner, file)
    assert "all 3 rows; add --again" in said
    same_bytes = written(tmp_path, file.read_bytes(), "copy.csv")
    refused(runner, same_bytes)
    assert count(app, OutboxEmail) == 3
    send(runner, same_bytes, "--again")
    send(runner, file, "--again")
    keys = [(row.intent_key or "").split(":") for row in stored(app)]
    assert [key[3:] for key in keys] == [
        ["2"], ["3"], ["4"], ["2", "2"], ["3", "2"], ["4", "2"], ["2", "3"], ["3", "3"], ["4", "3"],
    ]  # fmt: skip
    assert {(key[0], len(key[1]), key[2]) for key in keys} == {("csv", 16, "welcome")}


def test_another_file_of_the_same_name_and_another_email_are_runs_of_their_own(
    app: Flask, runner: FlaskCliRunner, welcome_file: WelcomeFile
):
    send(runner, welcome_file(3))
    send(runner, welcome_file(2))
    send(runner, welcome_file(2), name="account-exists")
    assert (count(app, OutboxEmail), count(app, BulkRun)) == (7, 3)


def test_keys_of_ones_own_count_instead(app: Flask, runner: FlaskCliRunner, tmp_path: Path):
    text = (
        "to,amount,currency,plan,intent_key\n"
        "a@example.com,1,usd,Pro,receipt:1\na@example.com,1,usd,Pro,receipt:1\n"
        "b@example.com,1,usd,Pro,\n"
    )
    said = send(runner, written(tmp_path, text), name="receipt")
    assert "2 emails queued, 0 suppressed, 1 there before" in said
    assert stored(app)[0].intent_key == "receipt:1"


def test_addresses_that_get_no_email_are_stored_as_such(
    app: Flask, runner: FlaskCliRunner, welcome_file: WelcomeFile
):
    with app.app_context(), transaction() as session:
        for address in ("user1@example.com", "user3@example.com"):
            suppression.suppress(session, address, "all", reason="asked", source="by hand")
        suppression.forget(session, "user3@example.com")
        suppression.suppress(
            session, "user4@example.com", "marketing", reason="asked", source="by hand"
        )
    assert "4 emails queued, 2 suppressed, 0 there before" in send(runner, welcome_file(6))
    rows = stored(app)
    assert [number for number, row in enumerate(rows) if row.state == State.SUPPRESSED] == [1, 3]
    assert (rows[1].last_error, rows[1].events[0].type) == ("u***@example.com: asked", "suppressed")
    said = send(runner, welcome_file(6), name="onboarding-day-3")
    assert "3 emails queued, 3 suppressed" in said


def test_marketing_has_the_way_out_of_each_recipient(
    app: Flask, runner: FlaskCliRunner, welcome_file: WelcomeFile
):
    send(runner, welcome_file(2), name="onboarding-day-3")
    for number, row in enumerate(stored(app)):
        link = email_link(app, f"user{number}@example.com")
        assert row.category == "marketing"
        assert row.message["headers"]["List-Unsubscribe"] == f"<{link}>"
        assert link in row.message["text"]


def email_link(app: Flask, address: str) -> str:
    with app.app_context():
        return email.unsubscribe_links.url(address)


def process_of(file: Path, database_url: str, log: Path) -> Process:
    command = ["flask", "email", "send-csv", str(file), "--email", "welcome"]
    settings = {
        "FLASK_DEBUG": "1", "DATABASE_URL": database_url, "EMAIL_PROVIDER": "inbox",
        "EMAIL_DELIVERY": "thread",
    }  # fmt: skip
    return Process(command, settings, log)


@pytest.mark.slow
def test_a_killed_run_leaves_whole_batches_and_goes_on_without_a_double(
    app: Flask, runner: FlaskCliRunner, welcome_file: WelcomeFile, database_url: str, tmp_path: Path
):
    file = welcome_file(2_700)
    left = 0
    for _ in range(2):
        more = left + 1
        with process_of(file, database_url, tmp_path / "log") as process:
            wait_until(partial(has_rows, app, more), "the next batch")
            process.kill()
        left = count(app, OutboxEmail)
        assert more < left < 2_700
        assert left % 500 == 0
    said = send(runner, file, "--again")  # which begins no other run while one is unfinished
    assert f"going on after {left:,} of 2,700 rows" in said
    assert f"{2_700 - left:,} emails queued, 0 suppressed, 0 there before" in said
    assert sorted(lines(app)) == list(range(2, 2_702))
    assert count(app, BulkRun) == 1
    refused(runner, file)


def has_rows(app: Flask, number: int) -> bool:
    return count(app, OutboxEmail) >= number


@pytest.mark.slow
def test_of_two_that_store_the_same_file_one_goes_on(
    app: Flask, welcome_file: WelcomeFile, database_url: str, tmp_path: Path
):
    file = welcome_file(1_200)
    with (
        process_of(file, database_url, tmp_path / "one") as one,
        process_of(file, database_url, tmp_path / "other") as other,
    ):
        codes = sorted(each.process.wait(60) for each in (one, other))
    assert codes == [0, 1], one.output() + other.output()
    assert sorted(lines(app)) == list(range(2, 1_202))


def test_what_was_purged_meanwhile_is_not_stored_again(
    app: Flask, runner: FlaskCliRunner, welcome_file: WelcomeFile
):
    file = welcome_file(700)
    interrupt(runner, file)
    with app.app_context(), transaction() as session:
        session.execute(delete(OutboxEmail))
        assert sum(retention.remove_rows(session, older_than=timedelta(0))) == 0
    assert "200 emails queued" in send(runner, file)
    assert lines(app) == list(range(502, 702))


def interrupt(runner: FlaskCliRunner, file: Path) -> str:
    """Stop the run after its first batch, by hand."""
    commits: list[int] = []

    def act() -> None:
        commits.append(1)
        if len(commits) == 2:  # the record of the run was the first
            raise KeyboardInterrupt

    with after_each_commit(act):
        return refused(runner, file)


def test_who_stops_a_run_reads_how_to_go_on(
    app: Flask, runner: FlaskCliRunner, welcome_file: WelcomeFile
):
    said = interrupt(runner, welcome_file(700))
    assert "stopped; the same command goes on with the rest" in said
    assert count(app, OutboxEmail) == 500


def test_a_file_that_changes_meanwhile_stops_the_run(
    app: Flask, runner: FlaskCliRunner, welcome_file: WelcomeFile
):
    file = welcome_file(700)

    def act() -> None:
        if count(app, OutboxEmail) == 500:
            with file.open("a") as more:
                more.write("\nzoe@example.com,Zoe")

    with after_each_commit(act):
        said = refused(runner, file)
    assert "somebody wrote to the file meanwhile" in said
    assert "500 of 700 rows are stored" in said
    assert count(app, OutboxEmail) == 500


def test_an_email_that_changed_for_the_worse_stops_the_run_that_goes_on(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
):
    rows = ["ann@example.com,Ann"] * 500 + ["nobody,Ben"]  # which were fine once
    file = written(tmp_path, "\n".join(["to,name", *rows]))
    with app.app_context(), transaction() as session:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        bulk.begin(session, digest, "welcome", rows_total=501, after=None)
    said = refused(runner, file)
    assert "line 502: to is not a usable email address" in said
    assert "mend the email and not the file" in said
    assert count(app, OutboxEmail) == 500


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_the_rate(
    welcome_file: WelcomeFile, monkeypatch: pytest.MonkeyPatch
):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with open_csv(welcome_file(250)) as table:
        assert sum(1 for _ in with_bar(table, "Storing", skip=50)) == 200
    # How much time is left is said from the second second on.
    assert re.search(r"Storing.* 100% .*[\d,]+ rows/s", terminal.getvalue())


def test_each_commit_tells_the_workers_once_for_each_hundred(
    make_app: MakeApp, valkey: Valkey, welcome_file: WelcomeFile
):
    app = make_app(EMAIL_DELIVERY="celery", REDIS_URL=valkey.url)
    broker = redis.Redis.from_url(valkey.url)
    broker.flushall()
    send(app.test_cli_runner(), welcome_file(650))
    wait_until(lambda: broker.llen("celery") >= 7, "the messages")
    assert broker.llen("celery") == 7
    broker.flushall()
    broker.close()


def test_it_is_delivered_like_any_email(make_app: MakeApp, welcome_file: WelcomeFile):
    app = make_app()  # which delivers at each commit
    send(app.test_cli_runner(), welcome_file(3))
    assert {row.state for row in stored(app)} == {State.ACCEPTED}
    with app.app_context():
        assert len(outbox.reading.recent(db.session(), OutboxEmail)) == 3
