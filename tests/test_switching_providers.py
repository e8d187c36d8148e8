"""One variable switches the provider: the same sign-up, and the row has that provider's id."""

import pytest

import outbox
from extensions import db
from tests.conftest import MakeApp
from tools.simulator.application import DIALECTS
from tools.simulator_process import Simulator


@pytest.mark.parametrize("name", [each.name for each in DIALECTS])
def test_the_same_sign_up_reaches_each_provider(make_app: MakeApp, simulator: Simulator, name: str):
    path = "/api/v1" if name == "sequenzy" else ""
    app = make_app(
        **{
            "EMAIL_PROVIDER": name,
            f"{name.upper()}_API_KEY": "key-of-this-test",
            f"{name.upper()}_BASE_URL": simulator.url + path,
        }
    )
    answer = app.test_client().post("/api/signup", json={"name": "Ann", "email": "ann@example.com"})
    assert answer.status_code == 201
    [record] = simulator.accepted("ann@example.com")
    with app.app_context():
        [row] = outbox.reading.recent(db.session(), outbox.OutboxEmail, state="accepted")
        assert (row.state, row.provider) == ("accepted", name)
        assert (row.provider_message_id, record["provider"]) == (record["id"], name)
