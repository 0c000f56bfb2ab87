"""The port through which alerts learn how the bikes are, and how their vendors' messages are.

As with :mod:`alerts.patrols`, what implements it belongs to others; this package asks only
these questions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLimits:
    """From when on a bike, or a vendor's messages, are somebody's business.

    Attributes
    ----------
    offline_after_s : float
        Duty time without hearing of a bike [s].
    forgotten_after_s : float
        Time on the clock after which a bike that is not heard is no longer counted [s].
    battery_low_percent : float
        Battery at or below which it is low [%].
    outside_m : float
        Distance from the nearest zone over which a bike is outside the district [m].
    rejects_share : float
        Share of rejected messages over which a vendor's messages are wrong, 0 to 1.
    rejects_period_s : float
        Over how long the share is taken [s].
    rejects_min : int
        Messages in that time that it takes to judge.
    """

    offline_after_s: float = 1800
    forgotten_after_s: float = 30 * 86_400
    battery_low_percent: float = 20
    outside_m: float = 300
    rejects_share: float = 0.05
    rejects_period_s: float = 900
    rejects_min: int = 50


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

    def suspects(self, limits: FleetLimits, now_ms: int) -> Collection[str]:
        """Bikes beyond a limit: silent by the clock, battery low, or outside.

        One more than that costs time only; one less is never raised.
        """

    def bike(self, bike: str) -> BikeFacts | None:
        """What is known of a bike; None when there is no such bike."""

    def heard(self, since_ms: int) -> int:
        """How many bikes have been heard at or after an instant."""

    def vendors(self, since_ms: int) -> Mapping[str, VendorFacts]:
        """Of each configured vendor, what was received at or after an instant."""
