"""What became slower than its noise, of two runs of the same benchmarks."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Figures = dict[str, list[float]]
"""The values of each figure, one for each run."""

MORE_IS_BETTER = re.compile(r"_per_(cpu_)?s$|_over_|^times_")
LESS_IS_BETTER = re.compile(r"_(s|ms|us|mb|core)$|_us_per_|(^|_)p\d\d$|core_share|share_of_a_core")

LEAST_NOISE = 0.05
"""Three runs can agree by chance: a difference below this share is never told."""


class Slower(NamedTuple):
    """A figure that became worse."""

    figure: str
    before: float  # the best of the saved runs
    now: float
    noise: float  # of both runs, the larger: the share of the median that lies between the extremes

    def __str__(self) -> str:
        return f"{self.figure}: {self.before:g} → {self.now:g} (noise {self.noise:.0%})"


def slower(
    saved: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]
) -> list[Slower]:
    """The figures whose best is worse than the saved best by more than the noise of either run.

    The best is compared, because whatever disturbs a measurement makes it worse. Figures that are
    in one of the runs only, or that have no unit (:mod:`benchmarks.__main__`), are left out.
    """
    found = []
    for figure, values in now.items():
        before = saved.get(figure)
        more = more_is_better(figure)
        if more is None or not before or not values:
            continue
        best = max if more else min
        was, best_now = best(before), best(values)
        noise = max(LEAST_NOISE, _noise(before), _noise(values))
        if min(was, best_now) <= 0:
            continue
        worse = was / best_now if more else best_now / was
        if worse > 1 + noise:
            found.append(Slower(figure, was, best_now, noise))
    return found


def more_is_better(figure: str) -> bool | None:
    """Whether a figure is better when it is larger, by its unit; None is no figure of speed."""
    name = figure.rpartition(".")[2]
    if MORE_IS_BETTER.search(name):
        return True
    return False if LESS_IS_BETTER.search(name) else None


def _noise(values: Sequence[float]) -> float:
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle > 0 else 0.0
