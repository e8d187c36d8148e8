"""The table of what each provider takes, in docs/providers.md, is the one in the code."""

import re

from providers import PROVIDERS
from providers.http import HttpProvider
from tools.processes import ROOT

PAGE = ROOT / "docs" / "providers.md"
HEADING = (
    "| `EMAIL_PROVIDER` | also set | to, cc, bcc each | reply-to | attachments | size | "
    "idempotency key | calls | in one call | left out |"
)
HOUR, DAY, MEGABYTE = 3600, 24 * 3600, 1024 * 1024


def row(name: str, provider: type[HttpProvider]) -> str:
    limits = provider.capabilities
    days, hours = limits.idempotency_window // DAY, limits.idempotency_window // HOUR
    window = f"{days} days" if days > 1 else f"{hours} hours"
    cells = [
        f"`{name}`",
        f"`{name.upper()}_API_KEY`",
        f"{limits.max_recipients}",
        f"{limits.max_reply_to}",
        "any number" if limits.max_attachments is None else f"{limits.max_attachments}",
        f"{limits.max_bytes // MEGABYTE} MB",
        window if hours else "none",
        provider.default_rate,
        f"{limits.max_batch} emails" if limits.max_batch > 1 else "1 email",
        ", ".join(limits.left_out) or "nothing",
    ]
    return f"| {' | '.join(cells)} |"


def expected_table() -> str:
    rows = [row(name, each) for name, each in PROVIDERS.items() if issubclass(each, HttpProvider)]
    return "\n".join([HEADING, "|" + "---|" * HEADING.count(" | ") + "---|", *rows])


def test_the_page_shows_what_each_provider_takes():
    found = re.search(
        r"<!-- capabilities -->\n(.*?)\n<!-- /capabilities -->", PAGE.read_text("utf-8"), re.DOTALL
    )
    assert found, (
        f"{PAGE.name} has no table between <!-- capabilities --> and <!-- /capabilities -->"
    )
    assert found[1].strip() == expected_table()
