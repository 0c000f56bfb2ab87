"""What other parts compute and InfluxDB is told, as the ports through which it comes here."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class ZoneFigures(Protocol):
    """How a zone stands; None is what is not known."""

    @property
    def zone_id(self) -> str:
        """Which zone."""

    @property
    def policy(self) -> str:
        """By which policy."""

    @property
    def covered_ratio(self) -> float:
        """Covered cells of the window, 0 to 1."""

    @property
    def cells_covered(self) -> int:
        """Covered cells of the window."""

    @property
    def cells_total(self) -> int:
        """Patrollable cells."""

    @property
    def target(self) -> float:
        """Covered ratio to reach by the window's end, 0 to 1."""

    @property
    def idle_s(self) -> float:
        """Duty time since the zone was last patrolled [s]."""

    @property
    def oldest_cell_age_s(self) -> float | None:
        """Age of the cell that was visited longest ago [s]."""

    @property
    def mean_cell_age_s(self) -> float | None:
        """Mean age of the cells [s]."""

    @property
    def due_in_s(self) -> float | None:
        """Time until the next breach [s]."""

    @property
    def state(self) -> str:
        """The zone's state."""

    @property
    def state_code(self) -> int:
        """The state's number."""


class AlertStep(Protocol):
    """A transition of an alert."""

    @property
    def seq(self) -> int:
        """Number in the book of alerts."""

    @property
    def alert_id(self) -> str:
        """Which alert."""

    @property
    def rule(self) -> str:
        """The alert's rule."""

    @property
    def severity(self) -> str:
        """The alert's severity."""

    @property
    def zone_id(self) -> str | None:
        """The alert's zone, unless it is about a bike."""

    @property
    def from_state(self) -> str:
        """State before."""

    @property
    def to_state(self) -> str:
        """State after."""

    @property
    def actor(self) -> str:
        """Who did it."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def at_ms(self) -> int:
        """When [ms]."""

    @property
    def after_s(self) -> float | None:
        """How long this took, where the step ends a wait [s].

        To be raised, since the condition came true; to be acknowledged, and until a patrol
        had been there, since the alert was raised or came back; to be closed, since it was
        raised. None for every other step.
        """


class HealthFigures(NamedTuple):
    """Counters of the intake, cumulative, and how far behind it is.

    Attributes
    ----------
    received, stored, rejected, duplicates : int
        Items of telemetry.
    log_depth : int
        Messages that were received and are not computed yet.
    lag_s : float
        Age of the oldest of them [s].
    """

    received: int
    stored: int
    rejected: int
    duplicates: int
    log_depth: int
    lag_s: float
