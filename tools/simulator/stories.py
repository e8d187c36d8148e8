"""What becomes of an accepted email, by the local part of each recipient.

| local part | what the vendor reports |
|---|---|
| any other | sent, delivered |
| `bounce` | sent, bounced for good: there is no such mailbox |
| `soft-bounce` | sent, given up after temporary trouble |
| `complaint` | sent, delivered, marked as spam |
| `deferred` | sent, put off, delivered |
| `open` | sent, delivered, opened, clicked; less what the email asks not to be tracked |
| `suppressed` | not sent: the address is on the vendor's suppression list |
| `unsubscribe` | sent, delivered, unsubscribed |

A `+label` makes recipients differ (`bounce+ann@example.com`). Each vendor has its own words for
these steps, and for some of them none.
"""

from typing import Literal

Step = Literal[
    "sent", "delivered", "bounced", "blocked", "deferred", "complained", "opened", "clicked",
    "suppressed", "unsubscribed",
]  # fmt: skip

_ORDINARY: tuple[Step, ...] = ("sent", "delivered")
_STORIES: dict[str, tuple[Step, ...]] = {
    "bounce": ("sent", "bounced"),
    "soft-bounce": ("sent", "blocked"),
    "complaint": ("sent", "delivered", "complained"),
    "deferred": ("sent", "deferred", "delivered"),
    "open": ("sent", "delivered", "opened", "clicked"),
    "suppressed": ("suppressed",),
    "unsubscribe": ("sent", "delivered", "unsubscribed"),
}


def story(recipient: str) -> tuple[Step, ...]:
    """The steps for one recipient, in the order in which they happen."""
    local_part = recipient.lower().partition("@")[0].partition("+")[0]
    return _STORIES.get(local_part, _ORDINARY)
