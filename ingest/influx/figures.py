"""Alert transitions and counters of the intake, as InfluxDB is told them."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class AlertStep(Protocol):
    """A transition of an alert."""

    @property
    def seq(self) -> int:
        """Number in the book of alerts."""

    @property
    def alert_id(self) -> str:
        """The alert's id."""

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
        """The person or rule that did it."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def at_ms(self) -> int:
        """Time of the transition [ms]."""

    @property
    def after_s(self) -> float | None:
        """Length of the wait that the step ends [s].

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
