"""`make bench`."""

from tools.init.offer import Offer

OFFER = Offer(
    name="benchmarks",
    what="the benchmarks beside the SDKs and Celery",
    paths=("tools/benchmarks", "docs/benchmarks.md", "docs/benchmarks.svg"),
    targets=("bench",),
    edits=(("pyproject.toml", ', "django.*"]', "]"),),
)
