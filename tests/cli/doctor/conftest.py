"""A DNS server on loopback, and what asks it."""

from collections.abc import Iterator

import pytest

from cli.doctor.resolver import Resolver
from tests.cli.doctor.name_server import NameServer


@pytest.fixture
def names() -> Iterator[NameServer]:
    """A name server whose zone is still empty."""
    with NameServer({}) as names:
        yield names


@pytest.fixture
def resolver(names: NameServer) -> Resolver:
    host, port = names.server_address[:2]
    return Resolver(str(host), int(port))
