"""The names that people give themselves: whether our emails, which are trusted, may say them."""

import re
import unicodedata

# Initials and titles before a dot make no domain: `J.R.Smith`, `Dr.Who`, `St.John`.
_SPOKEN = re.compile(r"\w|capt|dr|fr|hon|jr|lt|mlle|mme|mr|mrs|ms|mx|ph|prof|rev|sr|st|ste")
_ENDINGS = ("co", "com", "io", "net", "org")  # but `x.com` is a link, whoever is called so
_DOTTED = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_SURE = re.compile(r"://|\bhttps?:|\bwww\.|\b\d{1,3}(?:\.\d{1,3}){3}\b")
_TELEPHONE = re.compile(r"\d(?:[\W_]{0,3}\d){6}")
_LAST_LABEL = re.compile(r"xn--[\w-]+|[^\W\d_]{2,}")


def greeting_name(name: str) -> str:
    """`name`, or nothing if programs would make a link of it: then greet without.

    Whoever signs up with a stranger's address would choose what our own email tells them to click,
    or whom to call: a telephone number is a link as well.
    `Anna.Lopez` is lost as well: nothing tells it from a domain.
    """
    return "" if _looks_like_a_link(name) else name


def _looks_like_a_link(name: str) -> bool:
    shown = "".join(each for each in name if unicodedata.category(each) != "Cf")
    plain = unicodedata.normalize("NFKC", shown).replace("。", ".").lower()
    if _SURE.search(plain) or _TELEPHONE.search(plain):
        return True
    return any(
        _is_domain(found[0], plain[found.end() : found.end() + 1])
        for found in _DOTTED.finditer(plain)
    )


def _is_domain(dotted: str, after: str) -> bool:
    *first, last = dotted.split(".")
    if not _LAST_LABEL.fullmatch(last):
        return False
    spoken = all(_SPOKEN.fullmatch(each) for each in first)
    return not spoken or last in _ENDINGS or after in {*"/?#:@"}
