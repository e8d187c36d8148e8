"""An `EmailMessage` as mail programs read and store it: the content of an .eml file."""

from datetime import UTC, datetime
from email.message import EmailMessage as MimeMessage
from email.utils import format_datetime, make_msgid

from message.address import Address
from message.attachment import Attachment
from message.email_message import EmailMessage


def to_mime(message: EmailMessage) -> MimeMessage:
    """`message` with a date and an id of its own; `to_mime(message).as_bytes()` is the file.

    Bcc stays out of it, as it does of what recipients get.
    """
    mime = MimeMessage()
    for name, value in _headers(message).items():
        if value:
            mime[name] = value
    mime.set_content(message.text)
    if message.html:
        mime.add_alternative(message.html, subtype="html")
    html = mime.get_body(("html",))
    for file in message.attachments:
        if file.content_id and isinstance(html, MimeMessage):
            html.add_related(file.content, *_type(file), cid=f"<{file.content_id}>")
        else:
            mime.add_attachment(file.content, *_type(file), filename=file.filename)
    return mime


def _headers(message: EmailMessage) -> dict[str, str]:
    sender = message.from_email or Address("noreply@example.com")
    return {
        "Date": format_datetime(datetime.now(UTC)),
        "Message-ID": make_msgid(domain=sender.email.partition("@")[2]),
        "From": str(sender),
        "To": _list(message.to),
        "Cc": _list(message.cc),
        "Reply-To": _list(message.reply_to),
        "Subject": message.subject,
        **message.headers,
    }


def _list(addresses: tuple[Address, ...]) -> str:
    return ", ".join(str(address) for address in addresses)


def _type(file: Attachment) -> tuple[str, str]:
    main, _, sub = file.content_type.partition("/")
    return main, sub
