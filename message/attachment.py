"""A file that travels with an email."""

import base64
import mimetypes
import re
from pathlib import Path

from attrs import field, frozen

from errors import InvalidMessage
from message.headers import one_line


def _content(value: bytes) -> bytes:
    if not isinstance(value, bytes):
        raise InvalidMessage("attachments.content must be bytes", field="attachments")
    return value


def _filename(value: str) -> str:
    name = one_line(value, "attachments.filename", 255)
    if not name or "/" in name or "\\" in name:
        raise InvalidMessage(
            "attachments.filename must be a file name without folders", field="attachments"
        )
    return name


def _content_type(value: str) -> str:
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", value, re.ASCII):
        raise InvalidMessage(
            "attachments.content_type must look like text/plain", field="attachments"
        )
    return value


def _content_id(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[\w.@+-]{1,255}", value, re.ASCII):
        raise InvalidMessage(
            "attachments.content_id takes letters, digits and . @ + _ -", field="attachments"
        )
    return value


@frozen(kw_only=True)
class Attachment:
    """A file that travels with the email. With a `content_id` the HTML shows it as `cid:…`.

    Without a `content_type` the type is guessed from the name.
    """

    filename: str = field(converter=_filename)
    content: bytes = field(repr=False, converter=_content)
    content_type: str = field(converter=_content_type)
    content_id: str | None = field(default=None, converter=_content_id)

    @content_type.default
    def _guessed_type(self) -> str:
        guessed, encoding = mimetypes.guess_type(self.filename)
        return "application/octet-stream" if encoding or not guessed else guessed

    @classmethod
    def from_path(cls, path: str | Path, *, content_id: str | None = None) -> "Attachment":
        """Read a file. Raises `OSError` if it cannot be read."""
        path = Path(path)
        return cls(filename=path.name, content=path.read_bytes(), content_id=content_id)

    @property
    def base64(self) -> str:
        """The content as every provider wants it: base64 without line breaks."""
        return base64.b64encode(self.content).decode("ascii")
