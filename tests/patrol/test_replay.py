"""`patrol replay`: recordings of every kind come to what the running system would have found."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bikes.simulator import SimulatedMessage
from geofence.grid import METRES_PER_DEGREE
from geofence.quality import VERDICTS
from ingest.worker import Worker
from patrol.assembly import District
from patrol.cli import app
from patrol.config.settings import load_with_zones
from patrol.errors import ConfigError
from patrol.replay import Replay, replay
from tests import commands, recorded
from tests.recorded import CONFIG, START_MS
from words.times import DAY_MS

WRONG_INPUT = 1


def replayed(*args: object, config: Path = CONFIG) -> tuple[Any, str]:
    """The JSON that a replay prints, and what it says on stderr."""
    done = CliRunner().invoke(app, ["replay", *map(str, args), "--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


def refused(*args: object) -> str:
    """What a replay of something that is wrong says."""
    done = CliRunner().invoke(app, ["replay", *map(str, args), "--config", str(CONFIG)])
    assert done.exit_code == WRONG_INPUT, done.output
    assert done.stdout == ""
    return done.stderr


@pytest.fixture(scope="module")
def morning() -> list[SimulatedMessage]:
    """Two hours of 28 bikes, as they came: late, twice, some of them bad."""
    return recorded.fleet(bikes=28, hours=2)


@pytest.fixture(scope="module")
def lived(
    morning: Sequence[SimulatedMessage], tmp_path_factory: pytest.TempPathFactory
) -> tuple[District, Worker, Path]:
    """What the live line made of that morning, and its folder."""
    folder = tmp_path_factory.mktemp("live")
    return *recorded.live(morning, folder), folder


@pytest.fixture(scope="module")
def tracks() -> dict[str, list[recorded.Fix]]:
    """An hour of four bikes with nothing but places and times, in whole seconds."""
    return recorded.plain(recorded.fleet(bikes=4, hours=1))


def test_ndjson_comes_to_what_the_live_line_found(
    morning: Sequence[SimulatedMessage], lived: tuple[District, Worker, Path], tmp_path: Path
) -> None:
    """Cells are equal, zone by zone, and so is the number of fixes that were accepted."""
    district, worker, _ = lived
    found = recorded.lines(morning)
    file = recorded.write_ndjson(tmp_path / "morning.ndjson", found)
    told, err = replayed(file)
    # As much as fits into no memory waits in a file.
    assert replayed(file, "--memory", 256)[0] == told
    expected = recorded.covered(district, worker)
    assert {zone["zone_id"]: zone["cells_covered"] for zone in told["zones"]} == expected
    assert sum(expected.values()) > 1000
    assert expected["cy-07"] == 0
    assert sum(told["verdicts"].values()) == worker.view.total.accepted
    assert told["verdicts"]["duplicate"] == worker.view.total.duplicate
    assert worker.view.total.rejected > 20
    problems = err.splitlines()
    assert problems[-1] == f"{worker.view.total.rejected - 20} more could not be used"
    for line in problems[:-1]:
        number = int(re.match(rf"{re.escape(str(file))}:(\d+): \w+: ", line)[1])
        assert found[number - 1]


def test_the_archive_of_the_live_line(lived: tuple[District, Worker, Path], tmp_path: Path) -> None:
    """Its folder is a recording too, without what was rejected and without duplicates."""
    district, worker, folder = lived
    told, err = replayed(folder / "archive")
    assert err == ""
    covered = {zone["zone_id"]: zone["cells_covered"] for zone in told["zones"]}
    assert covered == recorded.covered(district, worker)
    assert "duplicate" not in told["verdicts"]
    assert sum(told["verdicts"].values()) == worker.view.total.stored


def test_what_is_printed(tmp_path: Path, tracks: dict[str, list[recorded.Fix]]) -> None:
    """With --json stdout is one object with the keys of the contract, and nothing else."""
    file = recorded.write_ndjson(tmp_path / "a.ndjson", tracks["HB001"])
    done = commands.run("replay", file, "--config", CONFIG, "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert list(told) == ["zones", "verdicts", "from", "to"]
    assert [zone["zone_id"] for zone in told["zones"]] == [f"cy-0{n}" for n in range(1, 10)]
    for zone in told["zones"]:
        assert list(zone) == [
            "zone_id",
            "covered_ratio",
            "cells_covered",
            "cells_total",
            "worst_idle_s",
            "mean_idle_s",
            "name",
            "name_zh",
            "longest_idle_s",
        ]
        assert zone["covered_ratio"] == pytest.approx(
            zone["cells_covered"] / zone["cells_total"], abs=1e-4
        )
        assert zone["longest_idle_s"] <= 3600
        assert zone["worst_idle_s"] is None or zone["worst_idle_s"] <= 3600
    assert set(told["verdicts"]) <= set(VERDICTS)
    assert re.fullmatch(r"2026-03-04T08:00:\d\d\.000\+08:00", told["from"])
    assert re.fullmatch(r"2026-03-04T08:5\d:\d\d\.000\+08:00", told["to"])


def test_a_replay_that_was_ended_goes_on(
    tmp_path: Path, tracks: dict[str, list[recorded.Fix]]
) -> None:
    """From the day after the one it had saved, to the same figures; what-if included."""
    days = [
        {**fix, "timestamp": fix["timestamp"] + day * DAY_MS}
        for day in range(4)
        for fixes in tracks.values()
        for fix in fixes
    ]
    file = recorded.write_ndjson(tmp_path / "days.ndjson", days)
    settings, zones = load_with_zones(CONFIG)
    state, judged = tmp_path / "state", [0]

    def again(file: Path = file, *, most: int = 1 << 40) -> Replay:
        def on_judged(now: int, total: int) -> None:
            assert total == len(days)
            judged[-1] += now
            if judged[-1] > most:
                raise InterruptedError

        return replay(
            [file], settings, zones, on_problem=print, on_read=lambda _: None,
            on_judged=on_judged, other=settings.policies, resume=state, save_s=0.0,
        )  # fmt: skip

    whole = again()
    assert not state.exists()
    judged.append(0)
    with pytest.raises(InterruptedError):
        again(most=len(days) // 2)
    assert state.exists()
    other = recorded.write_ndjson(tmp_path / "other.ndjson", days)
    with pytest.raises(ConfigError, match="other recordings or settings"):
        again(other)
    judged.append(0)
    assert again() == whole
    assert judged[-1] == len(days)
    assert not state.exists()
    state.write_bytes(b"precious")
    with pytest.raises(ConfigError, match="not the state of a replay"):
        again()
    assert state.read_bytes() == b"precious"


def test_for_people(tmp_path: Path, tracks: dict[str, list[recorded.Fix]]) -> None:
    """Without --json it is a table and a line."""
    file = recorded.write_ndjson(tmp_path / "a.ndjson", tracks["HB001"])
    done = CliRunner().invoke(app, ["replay", str(file), "--config", str(CONFIG)])
    assert done.exit_code == 0
    assert re.search(r"^ ?cy-04 +\S.* \d+\.\d% +\d+ of \d+( +\d+ min){3}", done.stdout, re.M)
    assert re.search(r"to 2026-03-04T08:5.*; fixes: \d+ believed", done.stdout)


def test_every_kind_of_recording_says_the_same(
    tmp_path: Path, tracks: dict[str, list[recorded.Fix]]
) -> None:
    """The same fixes as NDJSON, GPX and OwnTracks .rec, and some of each in one folder."""
    ndjson = recorded.write_ndjson(
        tmp_path / "all.ndjson", [fix for fixes in tracks.values() for fix in fixes]
    )
    truth, _ = replayed(ndjson)
    assert sum(zone["cells_covered"] for zone in truth["zones"]) > 100
    for bike, fixes in tracks.items():
        recorded.write_gpx(tmp_path / "gpx", bike, fixes)
        recorded.write_rec(tmp_path / "rec", bike, fixes)
    for folder in ("gpx", "rec"):
        told, err = replayed(tmp_path / folder)
        assert err == ""
        assert told == truth

    first, second, third, *others = tracks
    mixed = tmp_path / "mixed"
    recorded.write_gpx(mixed / "phones", first, tracks[first])
    recorded.write_rec(mixed / "owntracks", second, tracks[second])
    recorded.write_ndjson(mixed / "lines.jsonl", tracks[third])
    (mixed / "notes.txt").write_text("not a recording")
    (mixed / ".DS_Store").write_text("hidden")
    files = [recorded.write_ndjson(tmp_path / f"{bike}.ndjson", tracks[bike]) for bike in others]
    # Named twice, by its folder and by itself, a file is still read once.
    told, err = replayed(mixed, mixed / "lines.jsonl", *files)
    assert err.startswith(f"{mixed / 'notes.txt'}: unreadable: not a kind of recording")
    assert err.count("\n") == 1
    assert told == truth | {"refused": {"unreadable": 1}}


def test_what_cannot_be_used_is_told_and_does_not_stop_it(
    tmp_path: Path, tracks: dict[str, list[recorded.Fix]]
) -> None:
    """A bad line by its number, a bad file by its name; the rest counts."""
    good = [json.dumps(fix).encode() for fix in tracks["HB001"]]
    stranger = json.dumps({**tracks["HB001"][0], "device_id": "HB999"}).encode()
    nowhere = json.dumps({**tracks["HB001"][0], "location": {"lat": 91, "lng": 0}}).encode()
    bad = {3: b"{oops", 4: b'{"timestamp": 5}', 5: stranger, 7: nowhere}
    rows = list(good)
    for number, line in bad.items():
        rows.insert(number - 1, line)
    mixed = tmp_path / "mixed"
    file = recorded.write_ndjson(mixed / "some.ndjson", rows)
    (mixed / "HB002.gpx").write_text('<gpx><trk><trkseg><trkpt lat="36.3"')
    (mixed / "hello").mkdir()
    (mixed / "hello" / "2026-03-04.parquet").write_bytes(b"no parquet")
    pq.write_table(pa.table({"x": [1]}), mixed / "hello" / "2026-03-05.parquet")
    (mixed / "nobody").mkdir()
    pq.write_table(pa.table({"x": [1]}), mixed / "nobody" / "2026-03-05.parquet")

    told, err = replayed(mixed)
    assert sum(told["verdicts"].values()) == len(good)
    said = err.splitlines()
    for number, reason in (
        (3, "not_json"),
        (4, "schema"),
        (5, "unknown_bike"),
        (7, "out_of_range"),
    ):
        assert any(line.startswith(f"{file}:{number}: {reason}: ") for line in said), err
    for name in ("hello/2026-03-04.parquet", "hello/2026-03-05.parquet"):
        assert any(line.startswith(f"{mixed / name}: unreadable: ") for line in said), err
    assert any(
        line.startswith(f"{mixed}/nobody/2026-03-05.parquet: unknown_vendor: ") for line in said
    )
    assert any(line.startswith(f"{mixed / 'HB002.gpx'}:") for line in said), err
    assert len(said) == 8


def test_no_path_leads_from_segment_to_segment(
    tmp_path: Path, tracks: dict[str, list[recorded.Fix]]
) -> None:
    """Between two segments of GPX nothing was recorded: a segment a fix has no path at all."""
    fixes = tracks["HB001"][::10]
    file = recorded.write_gpx(tmp_path / "a", "HB001", fixes)
    whole, _ = replayed(file)
    file.write_text(file.read_text().replace("</trkpt>", "</trkpt></trkseg><trkseg>"))
    alone, err = replayed(file)
    assert err == ""
    assert 0 < cells_of(alone) < cells_of(whole)


def cells_of(told: Any) -> int:
    return sum(zone["cells_covered"] for zone in told["zones"])


def test_what_is_not_used_is_in_the_summary(
    tmp_path: Path, tracks: dict[str, list[recorded.Fix]]
) -> None:
    """Parts that were refused by their reason, and unknown values by their field."""
    fixes = [{**fix, "battery_percent": -1} for fix in tracks["HB001"]]
    file = recorded.write_ndjson(tmp_path / "a.ndjson", [*fixes, b"{}"])
    told, _ = replayed(file)
    assert (told["refused"], told["notes"]) == ({"schema": 1}, {"battery_percent": len(fixes)})
    done = CliRunner().invoke(app, ["replay", str(file), "--config", str(CONFIG)])
    assert done.stdout.endswith(
        f"could not be used: 1 schema\nunknown values: {len(fixes)} battery_percent\n"
    )


def test_the_command_says_whose_a_file_is(
    tmp_path: Path, tracks: dict[str, list[recorded.Fix]]
) -> None:
    """Where the file cannot."""
    file = recorded.write_gpx(tmp_path, "Morning ride", tracks["HB001"])
    assert "cannot be a bike's id" in refused(file)
    told, _ = replayed(file, "--vendor", "hello", "--bike", "HB001")
    assert sum(told["verdicts"].values()) == len(tracks["HB001"])
    assert "vendor 'nobody' is not configured" in refused(file, "--vendor", "nobody", "--bike", "B")


def test_what_is_no_recording(tmp_path: Path) -> None:
    """All paths that are wrong are named at once, and nothing is read."""
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    err = refused(tmp_path / "nowhere", tmp_path / "notes.txt", tmp_path / "empty")
    kinds = ".gpx .json .jsonl .ndjson .parquet .rec"
    assert err.splitlines() == [
        f"{tmp_path / 'nowhere'}: there is no such file or folder",
        f"{tmp_path / 'notes.txt'}: not a kind of recording; these are: {kinds}",
        f"{tmp_path / 'empty'}: holds no {kinds}",
    ]


def test_a_recording_without_a_fix(tmp_path: Path) -> None:
    """There is nothing to judge, which is an error and not an uncovered district."""
    file = recorded.write_ndjson(tmp_path / "a.ndjson", [b"{}"])
    problem, error = refused(file).splitlines()
    assert problem.startswith(f"{file}:1: schema: ")
    assert error == f"{file}: there is no fix in it that can be used"


def ring_district(folder: Path, side: int) -> tuple[Path, list[tuple[float, float]]]:
    """A zone that is a ring of cells, `side` cells long on each side.

    Returns
    -------
    config : Path
    corners : list of (float, float)
        Of the cycle through the middle of its cells: latitude and longitude.
    """
    per_lat, per_lng = METRES_PER_DEGREE, METRES_PER_DEGREE * math.cos(math.radians(36.3))
    row, col = math.floor(36.3 * per_lat / 100), math.floor(120.39 * per_lng / 100)

    def at(north: float, east: float) -> tuple[float, float]:
        return (row + north) * 100 / per_lat, (col + east) * 100 / per_lng

    def square(inset: float) -> list[tuple[float, float]]:
        low, high = inset, side - inset
        return [at(low, low), at(low, high), at(high, high), at(high, low), at(low, low)]

    rings = [[[lng, lat] for lat, lng in square(inset)] for inset in (0, 1)]
    zone = {
        "type": "Feature",
        "properties": {"zone_id": "ring", "name": "ring", "policy": "core"},
        "geometry": {"type": "Polygon", "coordinates": [rings[0], rings[1][::-1]]},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zones.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [zone]})
    )
    (folder / "patrol.toml").write_text(
        """
        [district]
        name = "ring"
        [vendors.hello]
        format = "mds"
        datum = "wgs84"
        [policies.core]
        frequency = "1h"
        target = 1.0
        window = "day"
        """
    )
    return folder / "patrol.toml", square(0.5)


@pytest.mark.parametrize("bikes", [1, 2, 4])
def test_idleness_of_a_cycle(tmp_path: Path, bikes: int) -> None:
    """Bikes evenly spaced on a cycle of length l at speed v: worst l/(kv), mean l/(2kv)."""
    side, speed_mps, hours = 6, 5.0, 3
    config, corners = ring_district(tmp_path / "district", side)
    length_m = 4 * (side - 1) * 100
    at_s = np.arange(0, hours * 3600, 4)
    fixes = []
    for bike in range(bikes):
        along = (at_s * speed_mps + bike * length_m / bikes) % length_m / 100 / (side - 1)
        lat, lng = (
            np.interp(along, range(5), [corner[axis] for corner in corners]) for axis in (0, 1)
        )
        fixes += [
            {
                "device_id": f"b{bike}",
                "timestamp": START_MS + second * 1000,
                "location": {"lat": a, "lng": b},
            }
            for second, a, b in zip(at_s.tolist(), lat.tolist(), lng.tolist(), strict=True)
        ]
    told, _ = replayed(recorded.write_ndjson(tmp_path / "cycle.ndjson", fixes), config=config)
    (zone,) = told["zones"]
    lap_s = length_m / (bikes * speed_mps)
    assert zone["cells_total"] == zone["cells_covered"] == 4 * (side - 1)
    # A cell is visited for as long as it is crossed, which takes that much off its gaps.
    crossing_s = 100 / speed_mps
    assert lap_s - 2 * crossing_s <= zone["worst_idle_s"] <= lap_s + 8
    assert zone["mean_idle_s"] == pytest.approx(lap_s / 2, abs=1.2 * crossing_s)
