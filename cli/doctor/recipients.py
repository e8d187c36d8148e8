"""Whom emails reach: what keeps a staging app from writing to customers, and what it keeps back."""

import outbox
from cli.doctor.checks import Check, hint, ok, problem
from database import transaction
from extensions import email


def check_recipients() -> Check:
    """Whether emails go to whoever they are to."""
    if not email.restriction:
        return ok("recipients")
    return hint(
        "recipients",
        email.restriction,
        "in production unset it; elsewhere that is what it is for, in web and worker alike",
    )


def check_other_hosts() -> Check:
    """Rows that wait because another APP_URL made them: wanted in a copy, not after a move."""
    with transaction() as session:
        waiting = outbox.hosts.waiting(session)
    if not waiting:
        return ok("other-hosts")
    counts = ", ".join(f"{count} of {host}" for host, count in waiting.items())
    commands = "; ".join(outbox.hosts.command(host) for host in waiting)
    tell = hint if email.restriction else problem  # where nobody may be written to, it is a copy
    return tell(
        "other-hosts",
        f"emails and changes are queued that another APP_URL made: {counts}. None is sent from "
        f"{outbox.own_host()}",
        f"leave them if this is a copy of a database in use; if the app has moved: {commands}",
    )
