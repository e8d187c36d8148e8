"""What an email is: values only, without Flask, a provider or a database."""

from message.address import Address, AddressLike, counted_as
from message.attachment import Attachment
from message.email_message import Category, EmailMessage, id_at, new_id
from message.headers import one_line
from message.mime import header_fields, to_mime
from message.stored import UnreadableMessage, from_json, to_json
from message.unchecked import unchecked
from message.unsubscribe import UnsubscribeLinks

__all__ = [
    "Address",
    "AddressLike",
    "Attachment",
    "Category",
    "EmailMessage",
    "UnreadableMessage",
    "UnsubscribeLinks",
    "counted_as",
    "from_json",
    "header_fields",
    "id_at",
    "new_id",
    "one_line",
    "to_json",
    "to_mime",
    "unchecked",
]
