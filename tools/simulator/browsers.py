"""Which requests may come from the page of another site, in a browser on this machine."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_of_another_site(headers: Mapping[str, str], own: str) -> bool:
    """Whether such a page may be asking. Header names are in lower case; we listen on `own`.

    A page reaches loopback under a name of its own (DNS rebinding), which an address never is, or
    under ours, and then says its Origin.
    """
    host = headers.get("host", "")
    origin = headers.get("origin", f"http://{host}")
    return not _is_ours(host, own) or origin != f"http://{host}"


def _is_ours(host: str, own: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in ("localhost", own) or bool(ip_address(name))
    except ValueError:
        return False
