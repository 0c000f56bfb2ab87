"""A known half-day of a small fleet, as the station writes it to InfluxDB.

Monday, 9 March 2026, 08:00 to 12:00 in Shanghai, with some hours of the Sunday before. Simple
enough that what every panel must show can be worked out by hand.

hello HB001     a fix every 30 s, 08:00 to 11:59:30; 3 m/s, parked from 10:00 on; in cy-01, from
                09:00 on in cy-02; battery 80 to 71 %
hello HB002     a fix every 60 s, 08:00 to 10:29, then silent; 2 m/s; in cy-02, but the last fix
                is a jump; battery 25 to 16 %
meituan MB001   a fix every 120 s, 08:00 to 11:58; says neither speed nor battery; in cy-01

cy-01   compliant, due from 10:00 on, overdue from 10:30 on; target 0.8
cy-02   compliant, unmeasurable from 11:00 to 11:30; on Sunday compliant from 09:00 to 10:00;
        target 0.7
cy-03   off duty; target 0.8
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Final

import numpy as np

from bikes.roster import BikeKey
from bikes.telemetry import Status, TelemetryBatch
from geofence.quality import VERDICTS
from geofence.windows import Window, WindowVerdict
from ingest.influx import line_protocol as lines
from tests.dashboards.grafana.grafana import ZONE

KEYS: Final = [
    BikeKey("hello", "HB001"),
    BikeKey("hello", "HB002"),
    BikeKey("meituan", "MB001"),
]
ZONES: Final = ["cy-01", "cy-02", "cy-03"]
UNTIL: Final = datetime(2026, 3, 9, 12, tzinfo=ZONE)


def ms(text: str, day: int = 9) -> int:
    """An instant in March 2026 [ms], such as ``10:30`` or ``10:30:05``."""
    hour, minute, *second = map(int, text.split(":"))
    moment = datetime(2026, 3, day, hour, minute, *second, tzinfo=ZONE)
    return int(moment.timestamp() * 1000)


def known_day() -> bytes:
    """Everything, as line protocol."""
    return b"".join([_telemetry(), _connections(), *_coverage(), _windows(), _alerts(), *_health()])


def _telemetry() -> bytes:
    start = ms("08:00")
    rows = []
    for i in range(480):
        verdict = "ok" if i < 240 else "parked"
        zone, speed = (0 if i < 120 else 1), (3.0 if i < 240 else 0.0)
        lat = 36.3 + min(i, 240) * 0.0001
        rows.append((0, start + i * 30_000, lat, 120.39, speed, 0.0, 80 - i // 48, zone, verdict))
    for i in range(150):
        last = i == 149
        lat = 36.0 if last else 36.31
        zone, verdict = (-1, "teleport") if last else (1, "ok")
        rows.append((1, start + i * 60_000, lat, 120.4, 2.0, 90.0, 25 - i // 15, zone, verdict))
    nothing = float("nan")
    for i in range(120):
        verdict = "inaccurate" if i == 60 else "ok"
        rows.append((2, start + i * 120_000, 36.29, 120.38, nothing, nothing, nothing, 0, verdict))
    bike, at, lat, lng, speed, heading, charge, zone, verdict = zip(*rows, strict=True)
    unknown = np.full(len(rows), np.nan, np.float32)
    fixes = TelemetryBatch(
        bike=np.array(bike, np.int32),
        timestamp_ms=np.array(at, np.int64),
        lat_deg=np.array(lat),
        lng_deg=np.array(lng),
        accuracy_m=unknown,
        speed_mps=np.array(speed, np.float32),
        heading_deg=np.array(heading, np.float32),
        altitude_m=unknown,
        battery_percent=np.array(charge, np.float32),
    )
    verdicts = np.array([VERDICTS.index(name) for name in verdict], np.uint8)
    gap_s = np.diff(fixes.timestamp_ms, prepend=0) / 1000
    gap_s[np.diff(fixes.bike, prepend=-1) != 0] = np.nan
    names = {"keys": KEYS, "zone_ids": ZONES}
    where = np.array(zone, np.int16)
    return lines.telemetry_lines(
        fixes, verdicts, gap_s.astype(np.float32), where, **names
    ) + lines.verdict_lines(fixes, verdicts, where, **names)


def _connections() -> bytes:
    said = [(0, True, "08:00"), (1, True, "08:00"), (1, False, "10:31")]
    statuses = [Status(bike=bike, online=up, timestamp_ms=ms(at)) for bike, up, at in said]
    return lines.status_lines(statuses, [], keys=KEYS)


def _coverage() -> Iterator[bytes]:
    codes = {"compliant": 0, "due": 1, "overdue": 2, "unmeasurable": 3, "off_duty": 4}

    def zone(number: int, minute: int, state: str, **figures: float | None) -> SimpleNamespace:
        return SimpleNamespace(
            zone_id=ZONES[number],
            policy=("core", "residential", "core")[number],
            cells_covered=minute,
            cells_total=400,
            state=state,
            state_code=codes[state],
            mean_cell_age_s=600.0,
            **{"due_in_s": None, "oldest_cell_age_s": 3600.0 + 60 * minute, **figures},
        )

    for minute in range(240):
        first = "compliant" if minute < 120 else "due" if minute < 150 else "overdue"
        second = "unmeasurable" if 180 <= minute < 210 else "compliant"
        due_in_s = None if second == "unmeasurable" else 1800.0
        yield lines.coverage_lines(
            [
                zone(
                    0, minute, first, covered_ratio=minute / 400, target=0.8,
                    idle_s=60.0 * minute, due_in_s=60.0 * (150 - minute),
                ),
                zone(
                    1, minute, second, covered_ratio=0.9, target=0.7, idle_s=120.0,
                    due_in_s=due_in_s,
                ),
                zone(
                    2, minute, "off_duty", covered_ratio=0.2, target=0.8, idle_s=0.0,
                    oldest_cell_age_s=None,
                ),
            ],
            ms("08:00") + minute * 60_000,
            bikes_inside={"cy-01": 1, "cy-02": 2},
        )  # fmt: skip
    for minute in range(60):
        calm = zone(1, minute, "compliant", covered_ratio=0.5, target=0.7, idle_s=300.0)
        yield lines.coverage_lines([calm], ms("09:00", day=8) + minute * 60_000, bikes_inside={})


def _windows() -> bytes:
    """Yesterday's windows: cy-01 missed one of two, of one of cy-02 nobody can tell."""
    judged = (
        ("cy-01", "short", "window_short"),
        ("cy-01", "reached", "target_reached"),
        ("cy-02", "unknown", "telemetry_silent"),
    )
    start = ms("08:00", day=8)
    found = []
    for number, (zone_id, verdict, reason) in enumerate(judged, start=1):
        window = Window(start, start + number * 3_600_000)
        found.append(lines.window_line(zone_id, WindowVerdict(verdict, reason, window, 0.8)))
    return b"".join(found)


def _alerts() -> bytes:
    """Six alerts: a1 and a5 are open, a2 and a3 closed, a4 was never raised, a6 is void."""
    heard = [
        ("a3", "zone_unpatrolled", "cy-02", "critical", 8, [
            ("15:00", "none", "pending", "system", "idle_over_frequency"),
            ("15:01", "pending", "active", "system", "idle_over_frequency"),
            ("15:31", "active", "returned", "system", "patrolled"),
            ("15:41", "returned", "closed", "system", "held"),
        ]),
        ("a6", "zone_unpatrolled", "cy-03", "critical", 9, [
            ("08:09", "none", "pending", "system", "idle_over_frequency"),
            ("08:10", "pending", "active", "system", "idle_over_frequency"),
            ("08:20", "active", "voided", "system", "late_telemetry"),
        ]),
        ("a2", "coverage_short", "cy-02", "warning", 9, [
            ("09:00", "none", "pending", "system", "window_short"),
            ("09:02", "pending", "active", "system", "window_short"),
            ("09:12", "active", "acknowledged", "li", ""),
            ("09:32", "acknowledged", "returned", "system", "made_up"),
            ("09:42", "returned", "closed", "li", "verified"),
        ]),
        ("a1", "zone_unpatrolled", "cy-01", "critical", 9, [
            ("10:30", "none", "pending", "system", "idle_over_frequency"),
            ("10:31", "pending", "active", "system", "idle_over_frequency"),
            ("10:36", "active", "acknowledged", "wang", ""),
        ]),
        ("a5", "bike_offline", None, "warning", 9, [
            ("10:59", "none", "pending", "system", "silent"),
            ("11:00", "pending", "active", "system", "silent"),
        ]),
        ("a4", "coverage_short", "cy-01", "warning", 9, [
            ("11:10", "none", "pending", "system", "window_short"),
            ("11:11", "pending", "dropped", "system", "made_up"),
        ]),
    ]  # fmt: skip
    steps = []
    for alert_id, rule, zone_id, severity, day, transitions in heard:
        since: dict[str, int] = {}
        for at, before, after, actor, reason in transitions:
            since.setdefault(after, ms(at, day))
            start = since.get("pending" if after == "active" else "active")
            steps.append(
                SimpleNamespace(
                    seq=len(steps) + 1, alert_id=alert_id, rule=rule, severity=severity,
                    zone_id=zone_id, from_state=before, to_state=after, actor=actor,
                    reason=reason, at_ms=ms(at, day),
                    after_s=None if start is None else (ms(at, day) - start) / 1000,
                )
            )  # fmt: skip
    return lines.alert_lines(steps)


def _health() -> Iterator[bytes]:
    start = ms("11:00")
    for step in range(360):
        received, rejected = 100 + 20 * step, 2 + step
        yield lines.health_line(
            "station",
            start + step * 10_000,
            lines.HealthFigures(
                received=received,
                stored=received - rejected,
                rejected=rejected,
                duplicates=step // 2,
                log_depth=step % 7,
                lag_s=130.0 if step == 180 else 0.5,
            ),
        )
    for vendor, reason, count, at in (
        ("hello", "schema", 3, "11:10:00"),
        ("hello", "schema", 2, "11:10:30"),
        ("hello", "too_old", 1, "11:20:00"),
        ("meituan", "not_json", 4, "11:20:00"),
    ):
        yield lines.reject_lines({(vendor, reason): count}, ms(at))
    for minute in range(60):
        away = "connection refused" if 30 <= minute < 35 else ""
        parts = [("inlet", True, ""), ("influxdb", not away, away)]
        yield lines.part_lines("station", parts, start + minute * 60_000)
