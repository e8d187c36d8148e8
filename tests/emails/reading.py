"""What a reader sees of an email's HTML: the words, the links, and the line in the inbox."""

import re
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "meta"}


class Reader(HTMLParser):
    """Collects `words`, `links` and `preheader`; fails on tags that do not close in order.

    Hidden parts and the head give no words; the first hidden part is the preheader.
    """

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.words = []
        self.links = []
        self.preheader = ""
        self._open: list[str] = []
        self._hidden_at: int | None = None  # how deep the outermost hidden element stands
        self._hidden_parts = 0
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag in VOID:
            return
        if tag == "a":
            self.links.append(attributes["href"])
        if self._hidden_at is None and self._hides(tag, attributes):
            self._hidden_at = len(self._open)
        self._open.append(tag)

    def _hides(self, tag, attributes):
        invisible = "display:none" in attributes.get("style", "")
        self._hidden_parts += invisible
        return invisible or tag == "head"

    def handle_endtag(self, tag):
        assert self._open[-1:] == [tag], f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()
        if len(self._open) == self._hidden_at:
            self._hidden_at = None

    def handle_data(self, data):
        if self._hidden_at is None:
            self.words += words(data)
        elif self._hidden_parts == 1:
            self.preheader += data


def words(text):
    """The words of a text in lower case, without the punctuation around them."""
    stripped = (re.sub(r"^\W+|\W+$", "", word).lower() for word in text.split())
    return [word for word in stripped if word]
