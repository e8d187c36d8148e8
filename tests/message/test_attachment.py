"""What may be attached, and a file as an attachment."""

from pathlib import Path
from typing import Any

import pytest

from errors import InvalidMessage
from message.attachment import Attachment


@pytest.mark.parametrize(
    "fields",
    [
        {"filename": ""},
        {"filename": "../secret"},
        {"filename": "a\\b"},
        {"filename": "a\nb"},
        {"content": "text"},
        {"content_type": "pdf"},
        {"content_type": "text/plain; name=x"},
        {"content_id": "<logo>"},
        {"content_id": ""},
    ],
)
def test_an_attachment_is_checked_as_well(fields: dict[str, Any]):
    with pytest.raises(InvalidMessage) as caught:
        Attachment(**{"filename": "a.txt", "content": b"x"} | fields)
    assert str(caught.value.field).startswith("attachments")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("invoice.pdf", "application/pdf"),
        ("logo.png", "image/png"),
        ("backup.tar.gz", "application/octet-stream"),
        ("unknown", "application/octet-stream"),
    ],
)
def test_a_file_is_attached_with_the_type_its_name_suggests(
    tmp_path: Path, name: str, content_type: str
):
    (tmp_path / name).write_bytes(b"\x00\xff")
    file = Attachment.from_path(tmp_path / name)
    assert (file.filename, file.content_type, file.base64) == (name, content_type, "AP8=")
    assert Attachment(filename=name, content=b"\x00\xff") == file


def test_a_type_that_is_given_holds_whatever_the_name():
    file = Attachment(filename="export.pdf", content=b"x", content_type="application/x-report")
    assert file.content_type == "application/x-report"
