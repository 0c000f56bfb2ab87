"""The port through which alerts learn how the bikes are, and how their vendors' messages are.

What implements it belongs to others; this package asks only
these questions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol

Limits = Mapping[str, float]
"""The limits of all rules, by the names of :class:`alerts.rules.registry.Setting`."""

FRESH_S: Final = 3600
"""A battery level or a position older than this says nothing about now [s]."""


class BikeFacts(NamedTuple):
    """The newest that is known of a bike; None is what it never said.

    Attributes
    ----------
    bike : str
        ``vendor/bike_id``.
    heard_ms : int, optional
        When it was last heard: its newest fix, or anything received from it [ms].
    fix_ms : int, optional
        Device time of the newest fix [ms].
    outside_m : float, optional
        How far that fix is outside all zones at least, given its accuracy; 0 inside [m].
    battery_percent, battery_ms : float, int, optional
        The newest battery level [%], and its time [ms].
    """

    bike: str
    heard_ms: int | None = None
    fix_ms: int | None = None
    outside_m: float | None = None
    battery_percent: float | None = None
    battery_ms: int | None = None


class VendorFacts(NamedTuple):
    """What a vendor has sent in a period: items of telemetry, and how many were rejected."""

    received: int
    rejected: int


class Fleet(Protocol):
    """How bikes and vendors are. Called by one evaluation at a time, once a second."""

    def bikes(self) -> Collection[str]:
        """All bikes there are."""

    def heard_between(self, from_ms: int, to_ms: int) -> Collection[str]:
        """Bikes that were heard last in ``[from_ms, to_ms)``."""

    def charged_at_most(self, percent: float) -> Collection[str]:
        """Bikes whose newest battery level is so low [%]."""

    def outside_by(self, metres: float, now_ms: int) -> Collection[str]:
        """Bikes whose newest fix is farther than this outside all zones of an instant [m]."""

    def bike(self, bike: str) -> BikeFacts | None:
        """What is known of a bike; None when there is no such bike."""

    def heard(self, since_ms: int) -> int:
        """How many bikes have been heard at or after an instant."""

    def vendors(self, since_ms: int) -> Mapping[str, VendorFacts]:
        """Of each configured vendor, what was received at or after an instant."""
