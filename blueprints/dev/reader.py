"""What a reader sees of an email's HTML: the words, the links, and the line in the inbox."""

import re
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "meta"}


class Reader(HTMLParser):
    """Collects `words`, `links`, `images` (their attributes) and `preheader`.

    Hidden parts and the head give no words; the first hidden part is the preheader. `problems`
    says which tags do not close in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str]] = []
        self.problems: list[str] = []
        self._preheader: list[str] = []
        self._open: list[str] = []
        self._hidden_at: int | None = None  # how deep the outermost hidden element stands
        self._hidden_parts = 0
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self._open]

    @property
    def preheader(self) -> str:
        """The words that an inbox shows behind the subject."""
        return " ".join("".join(self._preheader).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "img":
            self.images.append(attributes)
        if tag in VOID:
            return
        if tag == "a":
            self.links.append(attributes.get("href", ""))
        if self._hidden_at is None and self._hides(tag, attributes):
            self._hidden_at = len(self._open)
        self._open.append(tag)

    def _hides(self, tag: str, attributes: dict[str, str]) -> bool:
        invisible = "display:none" in attributes.get("style", "")
        self._hidden_parts += invisible
        return invisible or tag == "head"

    def handle_endtag(self, tag: str) -> None:
        if self._open[-1:] != [tag]:
            self.problems.append(f"</{tag}> closes {self._open[-1:]}")
        elif self._open:
            self._open.pop()
        if len(self._open) == self._hidden_at:
            self._hidden_at = None

    def handle_data(self, data: str) -> None:
        if self._hidden_at is None:
            self.words += words(data)
        elif self._hidden_parts == 1:
            self._preheader.append(data)


def words(text: str) -> list[str]:
    """The words of a text in lower case, without the punctuation around them."""
    stripped = (re.sub(r"^\W+|\W+$", "", word).lower() for word in text.split())
    return [word for word in stripped if word]
