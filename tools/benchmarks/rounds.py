"""Contenders that take turns, and what their rounds come to."""

import random
import statistics
from collections.abc import Callable, Mapping

from attrs import frozen

from tools.benchmarks.progress import Progress

Sample = dict[str, float]
Contenders = Mapping[str, Callable[[], Sample]]


@frozen
class Results:
    """The samples of each contender, a round after the other."""

    samples: Mapping[str, list[Sample]]

    def median(self, name: str, value: str) -> float:
        """The median of a value over the rounds."""
        return statistics.median(sample[value] for sample in self.samples[name])

    def ratio(self, name: str, other: str, value: str) -> float:
        """The median of the ratios to `other`, each of one round."""
        pairs = zip(self.samples[name], self.samples[other], strict=True)
        ratios = [one[value] / two[value] for one, two in pairs if two[value]]
        return statistics.median(ratios) if ratios else float("nan")


def interleave(contenders: Contenders, rounds: int, progress: Progress) -> Results:
    """Run every contender once a round, in an order that changes from round to round."""
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    order = list(contenders)
    shuffle = random.Random(1).shuffle  # noqa: S311  an order, no secret
    for number in range(1, rounds + 1):
        shuffle(order)
        for name in order:
            progress.show(f"round {number} of {rounds}: {name}")
            samples[name].append(contenders[name]())
            progress.step()
    return Results(samples)
