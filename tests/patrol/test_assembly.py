"""Settings reach the parts, and stored coverage is used only by the settings it was made with."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.duty_hours import Hours
from bikes.telemetry import TelemetryBatch
from ingest.worker import READERS
from patrol.assembly import District, district_of, worker_of
from patrol.config.settings import load_with_zones
from tests.workers import new_log

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW_MS = round(datetime(2026, 3, 4, 9, tzinfo=SHANGHAI).timestamp() * 1000)
DAY_MS = 86_400_000

TEXT = """
[district]
name = "d"
timezone = "Asia/Shanghai"
zones = "zones.geojson"

[vendors.hello]
format = "mds"
datum = "wgs84"
bikes = ["HB1"]

[policies.core]
frequency = "2h"
target = 0.8
window = "day"
min_cell_m = 25

[policies.edge]
frequency = "4h"
target = 0.5
window = "day"
"""


def zone(zone_id: str, west: float, policy: str, **properties: object) -> dict[str, object]:
    """A square zone of some 900 by 1,100 m."""
    ring = [[west, 36.30], [west + 0.01, 36.30], [west + 0.01, 36.31], [west, 36.31], [west, 36.30]]
    return {
        "type": "Feature",
        "properties": {"zone_id": zone_id, "name": zone_id, "policy": policy, **properties},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


ZONES = (zone("a", 120.38, "core"), zone("b", 120.39, "edge"))


def district(
    folder: Path,
    text: str = TEXT,
    zones: tuple[dict[str, object], ...] = ZONES,
    at_ms: int = NOW_MS,
) -> District:
    """The district of a configuration."""
    (folder / "zones.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": zones}), "utf-8"
    )
    (folder / "patrol.toml").write_text(text, "utf-8")
    return district_of(*load_with_zones(folder / "patrol.toml"), at_ms)


def with_line(line: str, section: str) -> str:
    """The configuration with a line more in a section."""
    heading = f"[{section}]\n"
    return (
        TEXT.replace(heading, heading + line + "\n") if heading in TEXT else TEXT + heading + line
    )


SHIFTS = [
    ["Mon-Sun 08:00-12:00", "Mon-Sun 13:30-18:00"],
    ["Mon-Sun 08:00-12:00", "Mon-Sun 12:00-18:00"],
    ["Mon-Fri 07:45-17:10"],
    ["Mon-Sun 22:00-06:00"],
    ["Sat 10:00-11:00"],
    ["Mon-Sun 00:00-24:00"],
]


@settings(max_examples=150)
@given(
    lines=st.sampled_from(SHIFTS),
    timezone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns"]),
    times=st.lists(
        st.one_of(
            st.integers(NOW_MS, NOW_MS + 40 * DAY_MS),
            st.integers(0, 40 * 96).map(lambda n: NOW_MS + n * 900_000),
        ),
        max_size=30,
    ),
)
def test_duty_of_many_times_is_the_duty_of_each(
    lines: list[str], timezone: str, times: list[int]
) -> None:
    """Asked together, in any order, each time has the answer that it has alone."""
    hours = Hours.parse(lines, ZoneInfo(timezone))
    found = hours.contain(np.array(times, np.int64))
    assert found.dtype == np.bool_
    assert found.tolist() == [hours.contains(at_ms) for at_ms in times]


@pytest.mark.parametrize(
    ("section", "line", "kept"),
    [
        ("quality", "max_accuracy_m = 30", False),
        ("quality", "max_speed_mps = 10", False),
        ("quality", "max_gap_s = 60", False),
        ("quality", "max_gap_m = 400", False),
        ("quality", "parked_radius_m = 10", False),
        ("quality", "parked_after_s = 90", False),
        ("quality", "reorder_s = 10", False),
        ("quality", 'duty_hours = ["Mon-Sun 08:00-18:00"]', False),
        ("policies.edge", "min_cell_m = 10", False),
        ("district", "cell_m = 200", False),
        ("storage", "coverage_days = 90", False),
        ("mqtt", 'client_id = "another"', True),
        ("console", 'language = "en"', True),
        ("policies.edge", "min_cells = 3", True),
        ("policies.edge", 'hours = ["Mon-Sun 08:00-18:00"]', True),
        ("quality", "max_future_s = 60", True),
        ("notify.me", 'url = "json://localhost"', True),
    ],
)
def test_coverage_is_kept_unless_what_counts_as_a_visit_changes(
    tmp_path: Path, section: str, line: str, kept: bool
) -> None:
    """A broker, a language or a stricter policy is no reason to judge a month again."""
    changed = district(tmp_path, with_line(line, section)).fingerprint
    assert (changed == district(tmp_path).fingerprint) == kept


def test_coverage_of_another_time_zone_is_not_used(tmp_path: Path) -> None:
    """Runs are cut at the district's midnight."""
    moved = TEXT.replace("Asia/Shanghai", "Asia/Tokyo")
    assert district(tmp_path, moved).fingerprint != district(tmp_path).fingerprint


@pytest.mark.parametrize(
    "zones",
    [
        ZONES[:1],
        (ZONES[0], zone("b", 120.3901, "edge")),
        (ZONES[0], zone("c", 120.39, "edge")),
        (ZONES[0], zone("b", 120.39, "core")),
    ],
    ids=["fewer", "moved", "renamed", "other min_cell_m"],
)
def test_coverage_of_other_zones_is_not_used(
    tmp_path: Path, zones: tuple[dict[str, object], ...]
) -> None:
    """Neither is that of zones that are not as they were."""
    assert district(tmp_path, zones=zones).fingerprint != district(tmp_path).fingerprint


def test_names_and_the_hour_of_the_start_change_no_fingerprint(tmp_path: Path) -> None:
    """Zones in another order, with better names, at another start, are the same zones."""
    named = (zone("b", 120.39, "edge", name_zh="乙"), zone("a", 120.38, "core", name_zh="甲"))
    again = district(tmp_path, zones=named, at_ms=NOW_MS + DAY_MS)
    assert again.fingerprint == district(tmp_path).fingerprint


def test_only_zones_that_are_valid_now_are_judged(tmp_path: Path) -> None:
    """A zone of next month is not patrolled yet, and its coming is known from the start."""
    later = zone("b", 120.39, "edge", valid_from="2026-04-01")
    found = district(tmp_path, zones=(ZONES[0], later))
    assert [z.zone_id for z in found.atlas.at(NOW_MS).zones] == ["a"]
    assert [z.zone_id for z in found.atlas.at(NOW_MS + 30 * DAY_MS).zones] == ["a", "b"]
    plan = found.policies.plan("b")
    assert not plan.on_duty(NOW_MS)
    assert plan.on_duty(NOW_MS + 30 * DAY_MS)
    in_april = district(tmp_path, zones=(ZONES[0], later), at_ms=NOW_MS + 30 * DAY_MS)
    assert found.fingerprint == in_april.fingerprint
    assert found.fingerprint != district(tmp_path, zones=ZONES).fingerprint


def test_each_zone_has_the_path_that_its_policy_asks_for(tmp_path: Path) -> None:
    """`min_cell_m` is of the zone's policy; left out it is 20 m."""
    found = district(tmp_path)
    assert found.judge.min_cell_m == {"core": 25, "edge": 20}


def test_a_cell_that_is_only_touched_is_never_visited(tmp_path: Path) -> None:
    """`min_cell_m = 0` still asks for some path: through a corner there are pieces of none."""
    found = district(tmp_path, TEXT.replace("min_cell_m = 25", "min_cell_m = 0"))
    assert 0 < found.judge.min_cell_m["core"] < 0.01


def test_a_campaign_asks_for_more_and_counts_the_same(tmp_path: Path) -> None:
    """For some zones and days the frequency is another; coverage stays, and so do visits."""
    campaign = '\n[campaigns.spring]\nzones = ["a"]\nfrom = 2026-03-01\nto = 2026-03-08\n'
    plain = district(tmp_path)
    found = district(tmp_path, TEXT + campaign + 'frequency = "1h"\nmin_cells = 9\n')
    assert found.fingerprint == plain.fingerprint
    asked = [
        (
            found.policies.policy_for(z, at_ms).frequency_s,
            found.policies.policy_for(z, at_ms).min_cells,
        )
        for z, at_ms in (("a", NOW_MS), ("b", NOW_MS), ("a", NOW_MS + 7 * DAY_MS))
    ]
    assert asked == [(3600, 9), (14_400, 5), (7200, 5)]


def test_a_campaign_says_for_a_time_how_much_path_is_a_visit(tmp_path: Path) -> None:
    """60 m count in zone a on the days of the campaign only, and coverage is judged anew."""
    campaign = '\n[campaigns.spring]\nzones = ["a"]\nfrom = 2026-03-01\nto = 2026-03-08\n'
    plain = district(tmp_path)
    found = district(tmp_path, TEXT + campaign + "min_cell_m = 60\n")
    assert found.fingerprint != plain.fingerprint
    paused = district(tmp_path, TEXT + campaign + 'min_cell_m = 60\npaused = "snow"\n')
    assert paused.fingerprint == plain.fingerprint

    def visited(by: District, zone_id: str, at_ms: int) -> set[int]:
        """Cells visited by path alone: of 50 m of it, 30 lie in the first cell of a zone."""
        grid, cell = by.atlas.grid, by.atlas.at(at_ms).cells(zone_id)[:1]
        lat, lng = grid.centre(cell)
        east = lng + np.array([20.0, 70.0]) / grid.metres_per_lng
        nan = np.full(2, np.nan, np.float32)
        fixes = TelemetryBatch(
            np.zeros(2, np.int32), np.array([at_ms, at_ms + 10_000]), np.repeat(lat, 2), east,
            *[nan] * 5,
        )  # fmt: skip
        visits = by.judge.assess(fixes)[1]
        return set(visits.cell[~visits.observed].tolist())

    for zone_id, at_ms, other in (
        ("a", NOW_MS, True),
        ("b", NOW_MS, False),
        ("a", NOW_MS + 30 * DAY_MS, False),
    ):
        assert visited(plain, zone_id, at_ms)
        assert bool(visited(found, zone_id, at_ms)) is not other


def test_a_worker_keeps_its_things_where_it_is_told(tmp_path: Path) -> None:
    """One folder holds log, snapshot and archive; bikes are those that are listed."""
    found = district(tmp_path, with_line("coverage_days = 60", "storage"))
    log = new_log(tmp_path)
    worker = worker_of(found, log, tmp_path / "data")
    assert worker.snapshot_file.parent == worker.archive.path.parent == tmp_path / "data"
    assert worker.coverage_days == 60
    assert worker.fingerprint == found.fingerprint
    assert [str(key) for key in worker.roster.keys] == ["hello/HB1"]
    assert [log.depth(reader) for reader in READERS] == [0, 0]
    log.close()
