"""What a run came to, as the last line of `patrol demo --json` says it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from patrol.station import Station


class ZoneSummary(msgspec.Struct, frozen=True):
    """One zone: the covered ratio of its window, and its state."""

    zone_id: str
    covered_ratio: float
    state: str


class AlertsSummary(msgspec.Struct, frozen=True):
    """Alerts that somebody heard of: how many were raised, are open, and were closed."""

    raised: int
    open: int
    closed: int


class Summary(msgspec.Struct, frozen=True):
    """The whole.

    Attributes
    ----------
    published : int
        Telemetry items that the broker took from the fleet.
    stored, rejected : int
        What became of them.
    """

    published: int
    stored: int
    rejected: int
    zones: list[ZoneSummary]
    alerts: AlertsSummary


class Before(NamedTuple):
    """What a station had done before: a run is judged by what it adds.

    Attributes
    ----------
    start_ms : int
        When the run starts [ms].
    received, rejected : int
        Telemetry items.
    """

    start_ms: int
    received: int
    rejected: int

    @classmethod
    def of(cls, station: Station, start_ms: int) -> Before:
        """What it has done until now."""
        return cls(start_ms, station.worker.received, station.worker.rejected)


def summary_of(station: Station, before: Before, published: int) -> Summary:
    """The summary of a station that has been evaluated."""
    received = station.worker.received - before.received
    rejected = station.worker.rejected - before.rejected
    alerts = [
        alert
        for alert in station.book.find(limit=100_000)
        if alert.activated_at_ms is not None
        and (alert.open or alert.updated_at_ms >= before.start_ms)
    ]
    return Summary(
        published=published,
        stored=received - rejected,
        rejected=rejected,
        zones=[
            ZoneSummary(status.zone_id, round(status.covered_ratio, 4), status.state)
            for status in station.statuses.values()
        ],
        alerts=AlertsSummary(
            raised=len(alerts),
            open=sum(alert.open for alert in alerts),
            closed=sum(alert.state == "closed" for alert in alerts),
        ),
    )
