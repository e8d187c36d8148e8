"""What holds the template itself together: its rooms, its routes, its strictness."""

from tools.init.offer import Offer

OFFER = Offer(
    name="template-tests", what="the tests of the template itself", paths=("tests/template",)
)
