"""The .eml file, read back by the standard library's own parser."""

from email import message_from_bytes, policy
from email.message import EmailMessage as MimeMessage

from message import Attachment, EmailMessage
from message.mime import to_mime

PNG = b"\x89PNG\r\n\x1a\n"


def read_back(**fields) -> MimeMessage:
    """What a mail program makes of the file."""
    basic = {"to": "ann@example.com", "subject": "Hi", "html": "<p>Hi</p>", "text": "Hi"}
    message = EmailMessage(**{**basic, **fields})
    found = message_from_bytes(to_mime(message).as_bytes(), policy=policy.default)
    assert found.defects == []
    return found


def test_the_file_says_from_whom_to_whom_and_what_about():
    mime = read_back(
        from_email="Ünal & Söhne <hello@example.org>",
        to=["Ann <ann@example.com>", "bob@example.com"],
        cc="cem@example.com",
        bcc="secret@example.com",
        reply_to="help@example.org",
        subject="Grüße, ليلى",
        headers={"X-Order": "42"},
    )

    assert mime["From"] == "Ünal & Söhne <hello@example.org>"
    assert mime["To"] == "Ann <ann@example.com>, bob@example.com"
    assert mime["Cc"] == "cem@example.com"
    assert mime["Reply-To"] == "help@example.org"
    assert mime["Subject"] == "Grüße, ليلى"
    assert mime["X-Order"] == "42"
    assert mime["Message-ID"].endswith("@example.org>")
    assert mime["Date"].datetime.tzinfo is not None
    assert "secret@example.com" not in mime.as_string()


def test_the_text_comes_before_the_html_that_is_preferred():
    mime = read_back(text="Grüße", html="<p>Grüße</p>")

    assert mime.get_content_type() == "multipart/alternative"
    parts = [(part.get_content_type(), part.get_content().strip()) for part in mime.iter_parts()]
    assert parts == [("text/plain", "Grüße"), ("text/html", "<p>Grüße</p>")]


def test_pictures_of_the_html_stand_beside_it_and_other_files_after_it():
    logo = Attachment(filename="l.png", content=PNG, content_type="image/png", content_id="logo")
    terms = Attachment(filename="Bedingungen ä.html", content=b"<p>x", content_type="text/html")
    mime = read_back(html='<img src="cid:logo">', attachments=[logo, terms])

    [attached] = mime.iter_attachments()
    assert (attached.get_filename(), attached.get_payload(decode=True)) == (
        "Bedingungen ä.html",
        b"<p>x",
    )
    [picture] = [part for part in mime.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"] == "<logo>"
    assert picture.get_payload(decode=True) == PNG


def test_an_email_of_text_alone_stays_text_alone():
    assert read_back(html="").get_content_type() == "text/plain"
