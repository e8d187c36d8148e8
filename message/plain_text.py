"""A readable text part for an HTML body that came without one.

The emails in `emails/` bring hand-written text instead.
"""

import re
from html.parser import HTMLParser

_HIDDEN = {"head", "style", "script", "title", "template"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "center", "dd", "div", "dl", "dt", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav",
    "ol", "p", "pre", "section", "table", "tr", "ul",
}  # fmt: skip
_BEFORE = dict.fromkeys(_BLOCKS, "\n\n") | {"br": "\n", "li": "\n- ", "td": " ", "th": " "}
# `<![if !mso]>` and its like; the parser stumbles over unknown ones. Not a comment's own end.
_DECLARATION = re.compile(r"<!\[[^>]*(?<!--)>")


class _TextCollector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0
        self._link: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "body":
            self._hidden = 0  # HTML lets </head> be left out
        elif tag == "a":
            self._link = dict(attrs).get("href")
        else:
            self.parts.append(_BEFORE.get(tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "a" and self._link:
            if not self._link.startswith("#"):
                self.parts.append(f" ({self._link})")
            self._link = None
        elif tag in _BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(re.sub(r"\s+", " ", data))


def plain_text_from_html(html: str) -> str:
    """The visible words of `html`, links written out, blocks apart by a blank line."""
    collector = _TextCollector()
    collector.feed(_DECLARATION.sub("", html))
    collector.close()
    lines = [re.sub(r" {2,}", " ", line).strip() for line in "".join(collector.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
