"""An `EmailMessage` as mail programs read and store it: the content of an .eml file."""

from datetime import UTC, datetime
from email.message import EmailMessage as MimeMessage
from email.utils import format_datetime, make_msgid

from message.address import Address
from message.email_message import EmailMessage


def to_mime(message: EmailMessage) -> MimeMessage:
    """`message` with a date and an id of its own; `to_mime(message).as_bytes()` is the file.

    Bcc stays out of it, as it does of what recipients get.
    """
    mime = MimeMessage()
    sender = message.from_email or Address("noreply@example.com")
    mime["Date"] = format_datetime(datetime.now(UTC))
    mime["Message-ID"] = make_msgid(domain=sender.domain)
    for name, value in ({"From": str(sender)} | header_fields(message)).items():
        if name != "Bcc":
            mime[name] = value
    mime.set_content(message.text)
    if message.html:
        mime.add_alternative(message.html, subtype="html")
    html = mime.get_body(("html",))
    for file in message.attachments:
        kind = file.content_type.split("/")
        if file.content_id and isinstance(html, MimeMessage):
            html.add_related(file.content, *kind, cid=f"<{file.content_id}>")
        else:
            mime.add_attachment(file.content, *kind, filename=file.filename)
    return mime


def header_fields(message: EmailMessage) -> dict[str, str]:
    """Whom it is from and to, the subject, and the message's own headers; none is empty."""
    fields = {
        "From": str(message.from_email or ""),
        "To": _list(message.to),
        "Cc": _list(message.cc),
        "Bcc": _list(message.bcc),
        "Reply-To": _list(message.reply_to),
        "Subject": message.subject,
        **message.headers,
    }
    return {name: value for name, value in fields.items() if value}


def _list(addresses: tuple[Address, ...]) -> str:
    return ", ".join(str(address) for address in addresses)
