"""`patrol replay --what-if`: how a record stands against policies.

A record is judged as the running system would have judged it, once by the policies that are
configured and once by others. Only duty time counts: patrol hours less exceptions and pauses.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from alerts.orders import Orders
from alerts.store.book_file import BookFile
from bikes.roster import Roster
from bikes.telemetry import TelemetryBatch
from geofence.closed_record import zone_records
from geofence.coverage import Ledger
from geofence.record import Record
from geofence.runs import Visits
from geofence.windows import Plan
from patrol.assembly import District
from patrol.config.sections import Settings


class ZoneJudged(msgspec.Struct, frozen=True):
    """One zone against its policy.

    Attributes
    ----------
    zone_id, policy : str
    unpatrolled : int
        How often its frequency was exceeded.
    longest_idle_s : float
        The longest it was not patrolled, the ends of the record included [s of duty].
    windows, windows_short, windows_unknown : int
        Windows of the policy that the record covers, those of them that ended below target, and
        those of which nobody can tell (:mod:`geofence.windows`).
    """

    zone_id: str
    policy: str
    unpatrolled: int
    longest_idle_s: float
    windows: int
    windows_short: int
    windows_unknown: int


class WhatIf(msgspec.Struct, frozen=True):
    """Zones by the policies that are configured, and by the others."""

    configured: list[ZoneJudged]
    zones: list[ZoneJudged]


def follow_orders(settings: Settings, *districts: District) -> None:
    """Let what people have ordered lie over the policies: what was paused stays paused.

    Orders are in the alert book of the configured storage; without one there are none.

    Raises
    ------
    BookUnavailable, BookUnreadable
        There is one, and it cannot be read.
    """
    path = settings.storage.path / "alerts.sqlite"
    if not path.exists():
        return
    file = BookFile(path)
    try:
        for district in districts:
            Orders(file, district.policies, ZoneInfo(settings.district.timezone))
    finally:
        file.close()


def judged_by(
    district: District, fixes: TelemetryBatch, visits: Visits, from_ms: int, to_ms: int
) -> list[ZoneJudged]:
    """Every zone of a district against its policies, over the record [from_ms, to_ms]."""
    ledger = Ledger(district.atlas.grid.size)
    ledger.add(visits)
    ledger.hear(fixes.bike, fixes.timestamp_ms)
    # A window is open at its end, and the last fix is of the record.
    record = Record(
        district.atlas.layout, ledger.view(), Roster({}), since_ms=from_ms, now_ms=to_ms + 1
    )
    plans: dict[str, Plan] = {
        zone: district.policies.plan(zone) for zone in district.policies.zones
    }
    policy_of = {ref.zone_id: ref.policy for ref in record.zones()}
    return [
        ZoneJudged(
            zone_id,
            policy_of[zone_id],
            found.unpatrolled,
            found.longest_idle_s,
            found.windows.total(),
            found.windows["short"],
            found.windows["unknown"],
        )
        for zone_id, found in zone_records(record, plans, visits).items()
    ]
