"""A visitor of the pages: cookies, the hidden token of a form, and posts as typed."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from tools.site import FORM, Site
from tools.wire import Header, WireAnswer

Fields = Mapping[str, str | bytes]


class Visitor:
    """Keeps cookies from answer to answer, as a browser does."""

    def __init__(self, site: Site, *headers: Header) -> None:
        self.site = site
        self.headers = headers
        self.cookies: dict[str, str] = {}

    @property
    def cookie(self) -> str:
        """All of them, as one header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def get(self, path: str, method: str = "GET") -> WireAnswer:
        return self._kept(self.site.send(method, path, self._headers()))

    def csrf_token(self, path: str) -> str:
        """The token in the form at `path`."""
        found = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', self.get(path).body)
        assert found, f"{path} has no CSRF token"
        return found[1].decode()

    def post(self, path: str, fields: Fields, *headers: Header) -> WireAnswer:
        """Post a form as it stands, without a token of its own."""
        body = urlencode(dict(fields), errors="surrogateescape").encode()
        return self._kept(self.site.send("POST", path, [*self._headers(), FORM, *headers], body))

    def submit(self, path: str, fields: Fields, *headers: Header) -> WireAnswer:
        """Open the page and post its form with the token that it gave."""
        return self.post(path, {"csrf_token": self.csrf_token(path), **fields}, *headers)

    def _headers(self) -> list[Header]:
        cookie: list[Header] = [("Cookie", self.cookie)] if self.cookies else []
        return [*self.headers, *cookie]

    def _kept(self, answer: WireAnswer) -> WireAnswer:
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                key, _, word = value.partition(";")[0].partition("=")
                self.cookies[key] = word
        return answer
