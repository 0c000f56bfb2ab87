"""Alert transitions and counters of the intake, as InfluxDB is told them."""

from __future__ import annotations

from typing import NamedTuple


class AlertStep(NamedTuple):
    """A transition of an alert.

    Attributes
    ----------
    seq : int
        Number in the book of alerts.
    alert_id, rule, severity : str
        The alert.
    zone_id : str, optional
        Its zone, unless it is about a bike.
    from_state, to_state, actor, reason : str
        The transition, the person or rule that made it, and why.
    at_ms : int
        Time of the transition [ms].
    after_s : float, optional
        Length of the wait that the step ends [s]: to be raised, since the condition came true; to
        be acknowledged, and until a patrol had been there, since the alert was raised or came
        back; to be closed, since it was raised. None for every other step.
    """

    seq: int
    alert_id: str
    rule: str
    severity: str
    zone_id: str | None
    from_state: str
    to_state: str
    actor: str
    reason: str
    at_ms: int
    after_s: float | None


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
