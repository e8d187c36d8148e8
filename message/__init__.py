"""What an email is: values only, without Flask, a provider or a database."""

from message.address import LOCAL_DOMAINS, Address, AddressLike, parse_addresses
from message.attachment import Attachment
from message.email_message import Category, EmailMessage, UnknownPolicy, new_id
from message.headers import one_line
from message.mime import header_fields, to_mime
from message.stored import from_json, to_json
from message.unsubscribe import UnsubscribeLinks

__all__ = [
    "LOCAL_DOMAINS",
    "Address",
    "AddressLike",
    "Attachment",
    "Category",
    "EmailMessage",
    "UnknownPolicy",
    "UnsubscribeLinks",
    "from_json",
    "header_fields",
    "new_id",
    "one_line",
    "parse_addresses",
    "to_json",
    "to_mime",
]
