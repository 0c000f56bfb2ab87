"""The way of bikes, step by step, from one fix to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import TelemetryBatch
from geofence.quality import BELIEVED


class Steps(NamedTuple):
    """Steps of bikes between two believed fixes of a run that follow each other; shape (k,)."""

    # Rows of the fixes at both ends.
    a: NDArray[np.intp]
    b: NDArray[np.intp]
    length_m: NDArray[np.float64]  # [m]
    # Whether the step is path: what the bike rode. Between two parked fixes it drifts.
    rides: NDArray[np.bool_]

    def stretches(self) -> list[NDArray[np.intp]]:
        """The path as stretches that nothing interrupts: the rows of the fixes of each."""
        a, b = self.a[self.rides], self.b[self.rides]
        begins = np.flatnonzero(np.append(True, a[1:] != b[:-1])[: a.size])
        return [np.append(a[i], b[i:j]) for i, j in pairwise([*begins.tolist(), a.size])]


class JudgedFixes(NamedTuple):
    """Fixes, n of them, with their verdicts, and the steps between them."""

    fixes: TelemetryBatch  # distinct, sorted by bike and time
    verdict: NDArray[np.uint8]  # shape (n,): positions in `geofence.quality.VERDICTS`
    steps: Steps

    @property
    def believed(self) -> NDArray[np.bool_]:
        """Which fixes say where the bike was; shape (n,)."""
        return np.isin(self.verdict, BELIEVED)

    def where(self, mask: NDArray[np.bool_]) -> JudgedFixes:
        """The fixes that `mask`, of shape (n,), selects, and the steps between two of them."""
        a, b, length_m, rides = self.steps
        whole = mask[a] & mask[b]
        row = np.cumsum(mask) - 1
        return JudgedFixes(
            self.fixes.take(mask),
            self.verdict[mask],
            Steps(row[a[whole]], row[b[whole]], length_m[whole], rides[whole]),
        )
