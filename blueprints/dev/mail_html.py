"""An email's HTML as a response of its own: without scripts, forms or a view of our pages."""

import re

from flask import Response

POLICY = (
    "default-src 'none'; img-src https: data: 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "unsafe-none",  # a sandboxed page may have no other
}
BASE = '<base target="_blank">'
DARK_RULES = re.compile(r"@media\s*\(\s*prefers-color-scheme:\s*dark\s*\)")
IN_SCHEME = {"light": "@media not all", "dark": "@media all"}


def mail_html(html: str) -> Response:
    """The body as sent, with links that open in a new tab rather than inside the frame."""
    body, found = re.subn(r"(?i)(<head(\s[^>]*)?>)", rf"\1{BASE}", html, count=1)
    body = body if found else BASE + html
    return Response(body, mimetype="text/html", headers=HEADERS)


def in_scheme(html: str, scheme: str) -> str:
    """The body as a reader in the "light" or "dark" scheme sees it, whatever the browser's is.

    A page cannot choose the colour scheme of a frame. Any other `scheme` leaves it to the browser.
    """
    rule = IN_SCHEME.get(scheme)
    return DARK_RULES.sub(rule, html) if rule else html
