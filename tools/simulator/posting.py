"""One POST to a webhook's address, as vendors make it: no redirect is followed."""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class PostResult:
    """The status of the answer, or None and why there is none."""

    status: int | None = None
    error: str = ""

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def words(self) -> str:
        return self.error or str(self.status)


def post(url: str, headers: Mapping[str, str], body: bytes, patience: float) -> PostResult:
    """POST `body` as JSON to `url`; the answer must begin within `patience` seconds."""
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=patience)
    deadline = time.monotonic() + patience
    try:
        connection.connect()
        connection.sock.settimeout(max(0.001, deadline - time.monotonic()))
        path = address.path + (f"?{address.query}" if address.query else "")
        connection.request(
            "POST", path or "/", body, {"Content-Type": "application/json", **headers}
        )
        return PostResult(status=connection.getresponse().status)
    except TimeoutError:
        return PostResult(error=f"no answer within {patience:g} s")
    except ConnectionRefusedError:
        return PostResult(error="connection refused")
    except (OSError, http.client.HTTPException) as error:
        return PostResult(error=f"no answer: {type(error).__name__}")
    finally:
        connection.close()
