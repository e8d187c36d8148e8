"""An email's HTML as a response of its own: without scripts, forms or a view of our pages."""

import re

from flask import Response

POLICY = (
    "default-src 'none'; img-src https: data: 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
BASE = '<base target="_blank">'


def mail_html(html: str) -> Response:
    """The body as sent, with links that open in a new tab rather than inside the frame."""
    body, found = re.subn(r"(?i)(<head(\s[^>]*)?>)", rf"\1{BASE}", html, count=1)
    body = body if found else BASE + html
    return Response(body, mimetype="text/html", headers={"Content-Security-Policy": POLICY})
