"""500 seeded mutations of each signature scheme; `make fuzz` sends 10,000."""

import pytest

from tests.hostile.fuzz import misplaced, run
from tests.hostile.mutations import Scheme
from tests.hostile.schemes import SCHEMES
from tests.hostile.site import Site

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
