"""The email that the contact form sends to the site's owner."""

from emails.compose import compose, email
from emails.names import greeting_name
from emails.samples import HOSTILE, LINK, LONG_WORD, RIGHT_TO_LEFT
from message import Address, AddressLike, EmailMessage

NORMAL = {
    "to": "hello@example.com",
    "name": "Ann Lee",
    "email": "ann@example.com",
    "message": "Hello,\n\ndo you ship to Norway?\n\nAnn",
}


@email(
    "contact-notice",
    samples={
        "normal": NORMAL,
        "short": NORMAL | {"message": "Hi"},
        "long words": NORMAL
        | {
            "name": LONG_WORD,
            "message": "https://example.com/?q=" + "a" * 160 + "\n\n" + "Hello again. " * 200,
        },
        "right to left": NORMAL
        | {"name": RIGHT_TO_LEFT, "message": "مرحبا،\n\nكم سعر الشحن إلى النرويج؟"},
        "a link for a name": NORMAL | {"name": LINK},
        "hostile markup": NORMAL
        | {"name": HOSTILE, "message": "<script>alert(1)</script>\n</td></table>{{ 7 * 7 }}"},
    },
)
def contact_notice(*, to: AddressLike, name: str, email: str, message: str) -> EmailMessage:
    """What a visitor wrote. A reply goes to the visitor, who is never the sender."""
    name = greeting_name(name)
    return compose(
        "contact-notice",
        to=to,
        subject=f"New message from {name}" if name else "New message",
        reply_to=Address(email, name),
        name=name,
        email=email,
        message="\n".join(message.splitlines()),  # browsers send \r\n
    )
