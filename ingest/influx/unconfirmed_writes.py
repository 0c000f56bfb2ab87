"""Writes that InfluxDB has acknowledged and may still lose."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ingest.influx.tracks import Load

SETTLE_S = 10.0
"""How long a server may hold acknowledged lines in memory only [s]. VictoriaMetrics does for up
to 5 s; InfluxDB has written them to its own log before it answers."""


@dataclass
class UnconfirmedWrites:
    """Acknowledged loads, oldest first; each settles a while later.

    Parameters
    ----------
    settle_s : float
        Time from the acknowledgement until a load is safe on the server's disk [s].
    """

    settle_s: float = SETTLE_S
    _arrived: deque[tuple[float, Load]] = field(default_factory=deque)

    def __bool__(self) -> bool:
        """Whether any load is unconfirmed."""
        return bool(self._arrived)

    def add(self, load: Load, now_s: float) -> None:
        """Take in a load that was acknowledged at `now_s` [s]."""
        self._arrived.append((now_s, load))

    def due(self, alive_s: float) -> Load | None:
        """The oldest load, once it has settled; it stays here until :meth:`settled`.

        Parameters
        ----------
        alive_s : float
            When the server was last known to be the one that acknowledged it [s].
        """
        if self._arrived and self._arrived[0][0] + self.settle_s <= alive_s:
            return self._arrived[0][1]
        return None

    def settled(self) -> None:
        """Drop the oldest load, after its place was moved."""
        self._arrived.popleft()

    def forget(self) -> None:
        """Drop all loads, because the server may have lost them."""
        self._arrived.clear()
