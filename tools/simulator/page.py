"""The page at `/`: what was accepted, newest first. It escapes everything and runs no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from tools.simulator.exchange import Reply
from tools.simulator.history import PostAttempt

Record = Mapping[str, Any]

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#e3e3e8, #33343a);
  --soft: light-dark(#6b6b76, #a0a1ab); --paper: light-dark(#fff, #1c1d21);
  --accent: light-dark(#3538cd, #a4a8ff); --good: light-dark(#067647, #6ce9a6);
  --bad: light-dark(#b42318, #fda29b); }
body { margin: 0; background: light-dark(#f6f6f8, #131418); color: light-dark(#1b1b22, #ececf1);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.35rem; margin: 0; }
p, time, dt { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .4rem; margin: 1.2rem 0; }
a { color: var(--accent); }
nav a { padding: .15rem .8rem; border: 1px solid var(--line); border-radius: 9px;
  text-decoration: none; background: var(--paper); }
nav a[aria-current] { border-color: var(--accent); font-weight: 600; }
details { background: var(--paper); border: 1px solid var(--line); border-radius: 9px;
  margin: .5rem 0; }
summary { display: grid; grid-template-columns: 6rem 1fr auto; gap: 0 1rem; padding: .6rem .9rem;
  cursor: pointer; list-style: none; overflow-wrap: anywhere; }
summary strong { display: block; }
.state { color: var(--good); text-align: right; }
.events { display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .85rem; color: var(--good); }
.events .failed { color: var(--bad); }
.state time { display: block; font-size: .85rem; }
.body { border-top: 1px solid var(--line); padding: .9rem; }
dl { display: grid; grid-template-columns: 8rem 1fr; gap: .2rem 1rem; margin: 0 0 .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
iframe { width: 100%; height: 28rem; border: 1px solid var(--line); border-radius: 9px;
  background: #fff; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 36rem) {
  summary, dl { grid-template-columns: 1fr; }
  .state { text-align: left; }
}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; frame-src 'self'"


@dataclass(frozen=True, kw_only=True)
class View:
    """What to show: `records`, newest first, out of `total`; `provider` is the filter or "".

    `too_many` is how many requests were answered with 429.
    `attempts` are the last ones of each webhook event, by provider and id of the email.
    """

    records: Sequence[Record]
    total: int
    older: bool
    too_many: int
    provider: str
    providers: Sequence[str]
    attempts: Mapping[tuple[str, str], Sequence[PostAttempt]] = field(default_factory=dict)


def show(view: View) -> Reply:
    """The page."""
    emails = "".join(_email(record, _attempts(record, view)) for record in view.records)
    body = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulator: {view.total} accepted</title>
<style>{_STYLE}</style>
<main>
<h1>Provider simulator</h1>
<p>{view.total} accepted, newest first.{_refused(view)} Nothing leaves this machine.</p>
<nav aria-label="Provider">{_filters(view)}</nav>
{emails or "<p>Nothing accepted yet.</p>"}
{_older(view)}
</main>
</html>
"""
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "no-store",
    }
    return Reply(status=200, headers=headers, body=body.encode(errors="replace"))


def _filters(view: View) -> str:
    links = {"": "All", **{name: name for name in view.providers}}
    current = {view.provider: " aria-current=page"}
    return "".join(
        f'<a href="/?provider={name}"{current.get(name, "")}>{label}</a>'
        for name, label in links.items()
    )


def _refused(view: View) -> str:
    return f" {view.too_many} answered with 429." if view.too_many else ""


def _older(view: View) -> str:
    if not view.older:
        return ""
    last = view.records[-1]["seq"]
    return f'<p><a href="/?provider={view.provider}&amp;before={last}">Older</a></p>'


def _attempts(record: Record, view: View) -> list[PostAttempt]:
    # SendGrid's personalizations share an id; the recipients tell them apart.
    found = view.attempts.get((record["provider"], record["id"]), ())
    return [attempt for attempt in found if attempt.recipient in record["recipients"]]


def _email(record: Record, attempts: Sequence[PostAttempt]) -> str:
    to = ", ".join(record["to"])
    return f"""<details>
<summary><span>{escape(record["provider"])}</span>
<span><strong>{escape(record["subject"])}</strong>{escape(to)}{_events(attempts)}</span>
<span class="state">{_state(record)}<time>{escape(record["at"])}</time></span></summary>
<div class="body"><dl>{_facts(record)}</dl>{_content(record)}</div>
</details>
"""


def _events(attempts: Sequence[PostAttempt]) -> str:
    """Which webhook events were posted, and how the last try of each was answered."""
    if not attempts:
        return ""
    events = "".join(
        f"<span{'' if attempt.outcome.delivered else ' class=failed'}>"
        f"{escape(attempt.type)} {escape(attempt.outcome.words)}</span>"
        for attempt in attempts
    )
    return f'<span class="events">{events}</span>'


def _state(record: Record) -> str:
    later = record["payload"].get("scheduled_at") or record["payload"].get("send_at")
    return "scheduled" if later else "accepted"


def _facts(record: Record) -> str:
    facts = {
        "Id": record["id"],
        "Key": record["idempotency_key"],
        "From": record["from"],
        "Cc": ", ".join(record["cc"]),
        "Bcc": ", ".join(record["bcc"]),
        "Reply-To": ", ".join(record["reply_to"]),
        "Attachments": ", ".join(record["attachments"]),
        **record["headers"],
        **record["metadata"],
    }
    return "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>"
        for name, value in facts.items()
        if value
    )


def _content(record: Record) -> str:
    if record["html"]:
        source = escape(record["html"])
        return f'<iframe sandbox loading="lazy" title="Email" srcdoc="{source}"></iframe>'
    return f"<pre>{escape(record['text'])}</pre>"
