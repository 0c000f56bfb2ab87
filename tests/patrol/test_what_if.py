"""`patrol replay --what-if`: a record against other policies than those that are configured."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from alerts.orders import Orders
from alerts.plan import Policies
from alerts.store.book_file import BookFile
from geofence.record import PATROL_MS, patrolled_ms
from patrol.cli import app
from tests.recorded import START_MS, Fix, write_ndjson

MINUTE_S = 60

CONFIG = """
[district]
name = "two squares"
[vendors.hello]
format = "mds"
datum = "wgs84"
[policies.core]
frequency = "1h"
target = 0.5
window = "shift"
min_cells = 3
hours = ["Mon-Sun 08:00-12:00", "Mon-Sun 13:30-18:00"]
[policies.quiet]
frequency = "4h"
target = 0.1
window = "day"
hours = ["Mon-Sun 08:00-18:00"]
"""


WINDOW = """target = 0.5
window = "shift"
min_cells = 3
hours = ["Mon-Sun 08:00-12:00", "Mon-Sun 13:30-18:00"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A district of two zones: `busy` under the policy core, `calm` under the policy quiet."""
    features = []
    for zone_id, policy, west in (("busy", "core", 120.38), ("calm", "quiet", 120.42)):
        east = west + 0.01
        ring = [[west, 36.30], [east, 36.30], [east, 36.31], [west, 36.31], [west, 36.30]]
        features.append(
            {
                "type": "Feature",
                "properties": {"zone_id": zone_id, "name": zone_id, "policy": policy},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
        )
    collection = {"type": "FeatureCollection", "features": features}
    (tmp_path / "zones.geojson").write_text(json.dumps(collection))
    (tmp_path / "patrol.toml").write_text(CONFIG)
    return tmp_path / "patrol.toml"


def ride(at_min: int, west: float, length: float = 0.009) -> list[Fix]:
    """Two minutes of riding eastwards through the middle of a zone, some 800 m of it."""
    return [
        {
            "device_id": "b1",
            "timestamp": START_MS + (at_min * MINUTE_S + second) * 1000,
            "location": {"lat": 36.3052, "lng": west + length * second / 120},
        }
        for second in range(0, 121, 5)
    ]


def parked() -> list[Fix]:
    """A sign of life every ten minutes from outside the zones; the last ends the record."""
    return [
        {
            "device_id": "b2",
            "timestamp": START_MS + at_min * MINUTE_S * 1000,
            "location": {"lat": 36.295, "lng": 120.37},
        }
        for at_min in range(0, 601, 10)
    ]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A day, 08:00 to 18:00: `busy` at 08:00, 08:30, 10:00, 11:50, 13:40; `calm` at 12:30."""
    fixes = [fix for at_min in (0, 30, 120, 230, 340) for fix in ride(at_min, 120.3805)]
    fixes += [*ride(270, 120.4205), *parked()]
    return write_ndjson(tmp_path / "day.ndjson", fixes)


def asked(record: Path, config: Path, policies: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a replay with other policies."""
    other = config.parent / "other.toml"
    other.write_text(policies)
    done = CliRunner().invoke(
        app, ["replay", str(record), "-c", str(config), "--json", "--what-if", str(other)]
    )
    return done.exit_code, done.stdout, done.stderr


def test_frequency_and_windows_count_duty_time(record: Path, config: Path) -> None:
    """Gaps are measured in patrol hours: noon does not count, the ends of the record do."""
    code, out, err = asked(
        record, config, '[policies.quiet]\ntarget = 0.9\nhours = ["Mon-Sun 00:00-24:00"]\n'
    )
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert list(told) == ["zones", "verdicts", "from", "to", "what_if"]
    busy, calm = told["what_if"]["configured"]
    # 08:32 to 10:00 and 10:02 to 11:50 are over an hour; 11:52 to 13:40 is 18 minutes of duty;
    # after 13:42 comes nobody until 18:00. A ride counts from its third cell on.
    assert busy["unpatrolled"] == 3
    assert busy["longest_idle_s"] == pytest.approx((4 * 60 + 18) * MINUTE_S, abs=60)
    # A ride visits one row of ten: below half in both shifts.
    assert (busy["windows"], busy["windows_short"]) == (2, 2)
    assert calm["unpatrolled"] == 2
    assert calm["longest_idle_s"] == pytest.approx((5 * 60 + 28) * MINUTE_S, abs=60)
    assert (calm["windows"], calm["windows_short"]) == (1, 1 if calm_share(told) < 0.1 else 0)
    # Under the other policy there is duty all day, and the record holds ten hours of it: its
    # window is not judged, as the record does not cover it.
    _, calm = told["what_if"]["zones"]
    assert calm["unpatrolled"] == 2
    assert calm["windows"] == 0


def test_a_visit_before_a_shift_is_not_of_it(tmp_path: Path, config: Path) -> None:
    """As for the running system: the shift begins at 08:10, and the ride was at 08:05."""
    early = write_ndjson(
        tmp_path / "early.ndjson",
        [*ride(5, 120.38), *ride(245, 120.42), *ride(600, 120.42), *parked()],
    )
    some = 'target = 0.01\nwindow = "shift"\nhours = ["Mon-Sun {}-12:00"]\nfrequency = "4h"\n'
    for begins, short in (("08:00", 0), ("08:10", 1)):
        code, out, err = asked(early, config, "[policies.core]\n" + some.format(begins))
        assert (code, err) == (0, "")
        busy, _ = json.loads(out)["what_if"]["zones"]
        assert (busy["windows"], busy["windows_short"]) == (1, short)


def test_what_was_paused_in_the_console_is_paused(record: Path, config: Path) -> None:
    """Nobody is called late for a morning that a dispatcher had paused; the other zone is."""
    book = BookFile(config.parent / "data" / "alerts.sqlite")
    keys = {"core": {"frequency": "1h", "target": 0.5, "window": "shift"}}
    tz = ZoneInfo("Asia/Shanghai")
    orders = Orders(book, Policies.parse({"busy": "core"}, keys, tz), tz)
    until = datetime.fromtimestamp(START_MS / 1000, tz) + timedelta(hours=4)
    orders.pause("busy", "li", START_MS - 1, reason="typhoon", until=until.isoformat())
    book.close()
    code, out, err = asked(record, config, '[policies.core]\nfrequency = "90m"\n' + WINDOW)
    assert (code, err) == (0, "")
    told = json.loads(out)["what_if"]
    for judged in ("configured", "zones"):
        busy, calm = told[judged]
        # Only from 13:42 to 18:00 did nobody come; no duty is left in the first shift.
        assert (busy["unpatrolled"], busy["windows"]) == (1, 1)
        assert calm["unpatrolled"] == 2


def calm_share(told: dict) -> float:
    """The covered ratio of `calm`."""
    return next(zone["covered_ratio"] for zone in told["zones"] if zone["zone_id"] == "calm")


def test_another_frequency(record: Path, config: Path) -> None:
    """What the file does not name stays as it is configured."""
    code, out, _ = asked(
        record,
        config,
        """
        [policies.core]
        frequency = "2h"
        target = 0.05
        window = "shift"
        min_cells = 3
        hours = ["Mon-Sun 08:00-12:00", "Mon-Sun 13:30-18:00"]
        """,
    )
    assert code == 0
    what_if = json.loads(out)["what_if"]
    busy, calm = what_if["zones"]
    assert (busy["zone_id"], busy["policy"]) == ("busy", "core")
    assert busy["unpatrolled"] == 1
    assert (busy["windows"], busy["windows_short"]) == (2, 0)
    assert calm == what_if["configured"][1]


def test_more_cells_make_a_patrol(record: Path, config: Path) -> None:
    """A zone that was clipped was not patrolled."""
    code, out, _ = asked(
        record,
        config,
        '[policies.core]\nfrequency = "1h"\ntarget = 0.5\nwindow = "day"\nmin_cells = 30\n'
        'hours = ["Mon-Sun 08:00-18:00"]',
    )
    assert code == 0
    busy, _ = json.loads(out)["what_if"]["zones"]
    assert busy["unpatrolled"] == 1
    assert busy["longest_idle_s"] == pytest.approx(10 * 3600, abs=60)


def test_for_people(record: Path, config: Path) -> None:
    """Both are shown side by side."""
    other = config.parent / "other.toml"
    other.write_text('[policies.core]\nfrequency = "2h"\ntarget = 0.05\nwindow = "week"\n')
    done = CliRunner().invoke(
        app, ["replay", str(record), "-c", str(config), "--what-if", str(other)]
    )
    assert done.exit_code == 0
    (busy,) = [line for line in done.stdout.splitlines() if "busy" in line and "→" in line]
    assert "3 → " in busy


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        (
            '[policies.core]\nfrequency = "soon"\ntarget = 2\nwindow = "shift"\n[x]\n',
            [
                "other.toml:2: [policies.core] frequency: 'soon' is not a duration",
                "other.toml:3: [policies.core] target: must be less than or equal to 1, not 2",
                "other.toml:5: [x]: is not a setting; there are policies",
            ],
        ),
        (
            '[policies.cores]\nfrequency = "1h"\ntarget = 1\nwindow = "shift"\n',
            ['other.toml:1: [policies.cores]: no policy has this name; did you mean "core"?'],
        ),
        ("[policies.core", ["other.toml:1: "]),
        ("", ["other.toml: [policies]: is missing"]),
    ],
)
def test_mistakes_in_the_file(record: Path, config: Path, policies: str, said: list[str]) -> None:
    """All are told, each with its line; nothing is judged."""
    code, out, err = asked(record, config, policies)
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert len(lines) == len(said)
    for line, beginning in zip(lines, said, strict=True):
        assert line.startswith(f"{config.parent}/{beginning}"), err


def test_a_file_that_is_not_there(record: Path, config: Path) -> None:
    """It is named."""
    done = CliRunner().invoke(
        app, ["replay", str(record), "-c", str(config), "--what-if", "nowhere.toml"]
    )
    assert done.exit_code == 1
    assert done.stderr == "nowhere.toml: cannot be read: No such file or directory\n"


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8 * PATROL_MS)), max_size=60),
    st.integers(1, 5),
)
def test_patrolled_as_one_would_count(visits: list[tuple[int, int]], needed: int) -> None:
    """At a visit, the distinct cells of the visits of the 30 min before it are enough."""
    visits = sorted(visits, key=lambda visit: visit[1])
    cell = np.array([cell for cell, _ in visits], np.int32)
    at_ms = np.array([at for _, at in visits], np.int64)
    expected = [
        now
        for _, now in visits
        if len(Counter(c for c, at in visits if now - PATROL_MS < at <= now)) >= needed
    ]
    assert patrolled_ms(cell, at_ms, needed).tolist() == expected


def test_a_part_of_a_policy_is_enough(record: Path, config: Path) -> None:
    """As in a campaign: what is not written stays as it is configured."""
    whole = asked(record, config, '[policies.core]\nfrequency = "90m"\n' + WINDOW)
    assert whole[0] == 0
    assert asked(record, config, '[policies.core]\nfrequency = "90m"\n') == whole
    code, _, err = asked(record, config, '[policies.core]\nfrequenzy = "90m"\n')
    assert code == 1
    assert "frequency" in err


def test_idle_times_are_of_duty_and_zones_have_names(tmp_path: Path, config: Path) -> None:
    """Two days with a night between: nobody is late in the night, and one cell left out hides
    nothing."""
    days = [
        fix for day in (0, 24 * 60) for at in (5, 235, 335, 595) for fix in ride(day + at, 120.38)
    ]
    file = write_ndjson(tmp_path / "days.ndjson", days)
    done = CliRunner().invoke(app, ["replay", str(file), "-c", str(config), "--json"])
    busy, calm = json.loads(done.stdout)["zones"]
    assert (busy["name"], calm["name"]) == ("busy", "calm")
    assert busy["longest_idle_s"] == pytest.approx(258 * MINUTE_S, abs=5 * MINUTE_S)
    assert busy["worst_idle_s"] == pytest.approx(busy["longest_idle_s"], abs=5 * MINUTE_S)
    # Nobody came in two days of ten hours of duty, less what is before the first fix.
    assert (calm["worst_idle_s"], calm["cells_covered"]) == (None, 0)
    assert calm["longest_idle_s"] < 20 * 3600
    table = CliRunner().invoke(app, ["replay", str(file), "-c", str(config)]).stdout
    assert "longest unpatrolled" in table
