"""`make init`: every offer fits the code as it is, and with all of them taken a product is left."""

from pathlib import Path

import pytest

from tests.template.init_proof import check_quickly, commit, git, init, make_product
from tools.init.documents import OWN
from tools.init.dropping import drop
from tools.init.offer import Offer, all_offers
from tools.init.tree import Tree
from tools.processes import ROOT

OFFERS = all_offers()


@pytest.mark.parametrize("offer", [*OFFERS.values(), OWN], ids=lambda offer: offer.name)
def test_an_offer_fits_the_code(offer: Offer):
    """Whoever edits a line that an offer quotes is told here: quote it there as it is now."""
    assert [path for path in offer.paths if not list(ROOT.glob(path))] == []
    assert [path for path, *_ in offer.edits if not (ROOT / path).exists()] == []
    assert [path for path in offer.definitions if not (ROOT / path).exists()] == []
    assert [name for name in offer.takes if name not in OFFERS] == []
    assert drop(Tree(ROOT), [offer])[1] == []


@pytest.mark.parametrize("offer", OFFERS.values(), ids=lambda offer: offer.name)
def test_all_offers_but_one_fit_the_code(offer: Offer):
    """What two offers change in one place must come out in any order."""
    others = [each for each in OFFERS.values() if each is not offer]
    assert drop(Tree(ROOT), [OWN, *others])[1] == []


@pytest.mark.slow
def test_with_all_dropped_a_product_is_left_that_is_whole_and_starts(tmp_path: Path):
    make_product(tmp_path, "all")
    check_quickly(tmp_path)
    commit(tmp_path, "Acme")
    again = init(tmp_path, NAME="Acme", FROM="Acme <hello@acme.dev>", COLOUR="#0b6e4f", DROP="all")
    assert again.stdout == "nothing to do: it is all as you want it\n"
    assert git(tmp_path, "status", "--porcelain") == ""
    (tmp_path / "app.py").write_text("# mine\n", encoding="utf-8")
    refused = init(tmp_path, NAME="Acme")
    assert refused.returncode == 2
    assert refused.stdout.startswith("commit or stash these first")
    assert "app.py" in refused.stdout
