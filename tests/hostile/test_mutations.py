"""500 seeded mutations of each signature scheme; `make fuzz` sends 10,000."""

import pytest

from tools.fuzz.mutations import Scheme
from tools.fuzz.run import misplaced, run
from tools.fuzz.schemes import SCHEMES
from tools.site import Site

pytestmark = pytest.mark.slow

SEED = 20260


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_500_mutations_are_judged_right_and_only_the_accepted_are_stored(
    site: Site, scheme: Scheme
):
    before = site.rows()
    results = run(site, scheme, 500, SEED)
    assert [result for result in results if not result.right] == []
    assert misplaced(site, results) == []
    assert site.rows() | {"events": 0} == before | {"events": 0}
    assert len({result.name for result in results}) >= 10
