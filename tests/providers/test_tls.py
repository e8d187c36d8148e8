"""HTTPS: certificates are checked, and all providers share one parsed set of authorities."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from errors import OutcomeUnknown, ProviderUnavailable
from providers import transport
from tests.providers.listener import Listener
from tests.providers.samples import ID, PATHS, new_provider, plain, send
from tools.certificates import certificate


@pytest.fixture
def own_authorities(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Read the authorities anew in this test, and again after it."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for read in (transport._tls_context, transport._trust_also):
        read.cache_clear()
    yield
    for read in (transport._tls_context, transport._trust_also):
        read.cache_clear()


def serve(path: Path) -> Listener:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return Listener(context)


@pytest.mark.usefixtures("own_authorities")
@pytest.mark.parametrize(("variable", "count"), [("SSL_CERT_FILE", 1), ("REQUESTS_CA_BUNDLE", 2)])
def test_all_connections_share_one_set_of_authorities(tmp_path, monkeypatch, variable, count):
    path = certificate(tmp_path / "known.pem", "127.0.0.1")
    monkeypatch.setenv(variable, str(path))
    loads = []
    real = ssl.SSLContext.load_verify_locations

    def load(context: ssl.SSLContext, *arguments: Any, **options: Any) -> None:
        loads.append(context)
        real(context, *arguments, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", load)
    with serve(path) as server:
        for name in PATHS:
            send(new_provider(name, server.url), plain(), ID)
        assert (len(server.requests), server.connections, len(loads)) == (3, 3, count)


@pytest.mark.usefixtures("own_authorities")
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_a_certificate_that_proves_nothing_gets_no_email(tmp_path: Path, monkeypatch, address):
    path = certificate(tmp_path / "server.pem", address)
    if address != "127.0.0.1":  # known, but for another host
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with serve(path) as server:
        with pytest.raises(ProviderUnavailable, match="SSLError") as raised:
            send(new_provider("resend", server.url), plain(), ID)
        assert not raised.value.reached
        assert server.requests == []


def test_a_handshake_that_never_ends_has_sent_nothing(listener: Listener):
    provider = new_provider("resend", listener.url.replace("http:", "https:"), timeout=0.3)
    with pytest.raises(ProviderUnavailable):
        send(provider, plain(), ID)


@pytest.mark.usefixtures("own_authorities")
def test_the_deadline_cuts_a_dripping_answer_under_tls_too(tmp_path: Path, monkeypatch):
    path = certificate(tmp_path / "known.pem", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with serve(path) as server:
        server.drips(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n", b" " * 600)
        with pytest.raises(OutcomeUnknown):
            send(new_provider("resend", server.url, timeout=2), plain(), ID)
        assert not server.dripped
