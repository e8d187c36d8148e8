"""`make demo`."""

from tools.init.offer import Offer

OFFER = Offer(
    name="demo",
    what="the demo of all parts together",
    paths=("tools/demo",),
    targets=("demo",),
)
