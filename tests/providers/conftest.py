"""Each provider on the simulator, and a small server that answers as a test says."""

from collections.abc import Iterator

import pytest

from providers.http import HttpProvider
from tests.providers.listener import Listener
from tests.providers.samples import PATHS, MakeProvider, new_provider
from tools.simulator_process import Simulator


@pytest.fixture
def make_provider(simulator: Simulator) -> MakeProvider:
    """`make_provider("resend", timeout=1)`: a provider whose API is the simulator."""
    return lambda name, **options: new_provider(name, simulator.url + PATHS[name], **options)


@pytest.fixture(params=PATHS)
def provider(request: pytest.FixtureRequest, make_provider: MakeProvider) -> HttpProvider:
    """Each HTTP provider in turn."""
    return make_provider(request.param)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server on a free port; `listener.script` decides what it writes."""
    with Listener() as listener:
        yield listener
