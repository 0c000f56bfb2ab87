"""What InfluxDB has acknowledged and may still forget."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ingest.influx.tracks import Load

SETTLE_S = 10.0
"""How long a server may keep what it has acknowledged in memory only [s]. VictoriaMetrics does
for up to 5 s; InfluxDB has written it to its own log before it answers."""


@dataclass
class Settling:
    """Loads that have arrived, in this order; each settles a while later.

    Parameters
    ----------
    settle_s : float
        How long that takes [s].
    """

    settle_s: float = SETTLE_S
    _arrived: deque[tuple[float, Load]] = field(default_factory=deque)

    def __bool__(self) -> bool:
        """Whether anything has yet to settle."""
        return bool(self._arrived)

    def add(self, load: Load, now_s: float) -> None:
        """Note that a load has arrived."""
        self._arrived.append((now_s, load))

    def due(self, alive_s: float) -> Load | None:
        """The oldest load, when it has settled; it stays ours until :meth:`settled`.

        Parameters
        ----------
        alive_s : float
            When the server was last known to be the one that has acknowledged it [s].
        """
        if self._arrived and self._arrived[0][0] + self.settle_s <= alive_s:
            return self._arrived[0][1]
        return None

    def settled(self) -> None:
        """Let go of the oldest load: its place was moved."""
        self._arrived.popleft()

    def forget(self) -> None:
        """It may be lost: let go of everything that has yet to settle."""
        self._arrived.clear()
