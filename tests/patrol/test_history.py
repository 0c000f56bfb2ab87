"""What the API says of the past, over a real station that has read a morning's telemetry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.log import Messages
from ingest.mqtt.connection import MqttOptions
from patrol.assembly import district_of
from patrol.clock import FastClock
from patrol.config.settings import load_with_zones
from patrol.station import Station
from tests.dashboards.conftest import Api
from tests.recorded import CONFIG, HOUR_MS, START_MS, fleet

BIKES = 6
NOW_MS = START_MS + 2 * HOUR_MS
"""10:00, in the middle of a shift."""


def new_station(folder: Path) -> Station:
    """A station that nobody sends anything; not restored."""
    settings, zones = load_with_zones(CONFIG)
    clock = FastClock(NOW_MS, 1.0)
    clock.hold_at(NOW_MS)
    nowhere = MqttOptions("127.0.0.1", 1, protocol="3.1.1", client_id="nobody", filters=("#",))
    return Station(district_of(settings, zones, START_MS), folder, nowhere, nowhere, clock=clock)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A station that has read two hours of six bikes; part of them is in the archive."""
    made = new_station(tmp_path_factory.mktemp("station"))
    made.worker.restore(START_MS)
    some = fleet(BIKES, 2.0)
    for first in range(0, len(some), 500):
        part = some[first : first + 500]
        topics, payloads = [m.topic for m in part], [m.payload for m in part]
        made.log.append(Messages(part[-1].at_ms, topics, payloads))
        made.worker.step(500)
        if first == 500:
            flush = made.worker.archive.begin_flush()
            assert flush is not None
            made.worker.write_archive(flush)
            made.worker.archive.end_flush(flush)
    made.evaluate()
    yield made
    made.book.close_file()
    made.log.close()


@pytest.fixture(scope="module")
def api(station: Station) -> Api:
    """A client of its API."""
    return Api(station.app)


def get(api: Api, path: str) -> Any:
    """An answer that is one."""
    answer = api.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_instant_is_as_it_was_told_then(api: Api) -> None:
    """As of now all zones stand as they do now; as of before they were covered less."""
    now = get(api, "coverage")
    then = get(api, f"coverage?at={NOW_MS}")
    for zone in now["zones"]:
        zone["bikes_inside"] = None
    assert then == now
    assert {zone["state"] for zone in now["zones"]} > {"overdue"}
    earlier = {z["zone_id"]: z for z in get(api, "coverage?at=2026-03-04T09:00")["zones"]}
    assert all(earlier[z["zone_id"]]["cells_covered"] <= z["cells_covered"] for z in now["zones"])
    one = get(api, "coverage/cy-04?at=2026-03-04T09:00")
    assert one == {"at": "2026-03-04T09:00:00+08:00", **earlier["cy-04"]}


def test_who_was_there_last_is_who_the_ledger_says(api: Api, station: Station) -> None:
    """The newest row of each zone, and as many bikes inside as stand in the list of bikes."""
    rows, zones = (
        station.worker.pipeline.ledger.view().certain(NOW_MS).rows(),
        station.district.atlas.at(station.clock.now_ms()),
    )
    bikes = get(api, "bikes")["bikes"]
    for zone in get(api, "coverage")["zones"]:
        mine = rows.where(zones.cell_zone[rows.cell] == zones.index(zone["zone_id"]))
        if not mine.key.size:
            assert zone["last_visit_by"] is None
            continue
        newest = int(mine.last_ms.argmax())
        told = zone["last_visit_by"]
        assert told["bike"] == str(station.worker.roster.key(int(mine.bike[newest])))
        assert datetime.fromisoformat(told["at"]).timestamp() * 1000 == mine.last_ms[newest]
        inside = [b for b in bikes if b["zone_id"] == zone["zone_id"] and b["liveness"] == "live"]
        assert zone["bikes_inside"] == len(inside)


def test_the_trend_ends_where_the_zone_stands(api: Api) -> None:
    """And at each quarter hour it is what a window up to then says."""
    now = {zone["zone_id"]: zone for zone in get(api, "coverage")["zones"]}
    for zone in get(api, "coverage/trend")["zones"]:
        zone_id, ratios = zone["zone_id"], zone["covered_ratio"]
        assert ratios[-1] == pytest.approx(now[zone_id]["covered_ratio"], abs=1e-4)
        known = [ratio for ratio in ratios if ratio is not None]
        assert len(known) == 9
        assert known == sorted(known)
    window = get(api, "coverage/cy-04?from=2026-03-04T08:00&to=2026-03-04T09:15")
    trend = get(api, "coverage/trend")["zones"][3]
    assert trend["covered_ratio"][4] == pytest.approx(window["covered_ratio"], abs=1e-4)


def test_the_first_day_of_the_record_is_the_first_that_is_told(api: Api) -> None:
    """Today, so far; nothing is said of yesterday."""
    (today,) = get(api, "coverage/cy-07/days")["days"]
    now = get(api, "coverage/cy-07")
    assert (today["date"], today["cells_covered"]) == ("2026-03-04", now["cells_covered"])
    assert (today["duty_s"], today["reached"]) == (7200, None)


def test_days_of_bikes_agree_with_tracks_and_ledger(api: Api, station: Station) -> None:
    """Fixes by verdict are those of the track; first cells together are the covered ones."""
    days = get(api, "bikes/days")["days"]
    assert len(days) == 28
    ridden = [day for day in days if day["verdicts"]]
    assert len(ridden) == BIKES
    for day in ridden:
        verdicts = get(api, f"bikes/{day['bike_id']}/track")["properties"]["verdicts"]
        assert day["verdicts"] == {name: verdicts.count(name) for name in set(verdicts)}
        assert 1_000 < day["distance_m"] < 2 * 25_000
        assert sum(zone["cells"] for zone in day["zones"]) == day["cells"]
        assert sum(zone["time_s"] for zone in day["zones"]) <= 7_200
        share = 1 - day["cells_first"] / day["cells"]
        assert day["redundant_share"] == pytest.approx(share, abs=1e-4)
    visited = station.worker.pipeline.ledger.view().certain(NOW_MS).last_visits.cell.size
    assert visited <= sum(day["cells_first"] for day in days) <= visited + BIKES


def test_fixes_are_counted_by_the_verdict_of_the_tracks(api: Api) -> None:
    """/metrics counts each fix once, when its verdict is settled: all but the newest minutes."""
    told = dict(
        line.split(" ")
        for line in api.get("/metrics").text.splitlines()
        if line.startswith("zhixun_fixes_total{")
    )
    counted = {name.split('"')[1]: int(float(count)) for name, count in told.items()}
    of_tracks: Counter[str] = Counter()
    for day in get(api, "bikes/days")["days"]:
        of_tracks.update(day["verdicts"])
    assert counted["ok"] > 0.9 * of_tracks["ok"] > 0
    assert counted["parked"] > 0
    assert all(counted[verdict] <= count for verdict, count in of_tracks.items())


def test_a_replay_is_a_part_of_the_tracks(api: Api) -> None:
    """Each frame is a believed fix of the bike, from the archive or the tail."""
    replay = get(api, "tracks?from=2026-03-04T08:00&step_s=30")
    assert len(replay["bikes"]) == BIKES
    for bike in replay["bikes"]:
        track = get(api, f"bikes/{bike['bike_id']}/track")["properties"]
        believed = {
            at_ms
            for at_ms, verdict in zip(track["timestamps"], track["verdicts"], strict=True)
            if verdict in ("ok", "parked")
        }
        assert set(bike["timestamps"]) <= believed
        assert len(bike["timestamps"]) == len({at // 30_000 for at in bike["timestamps"]})
        assert all(heading is None or 0 <= heading <= 360 for heading in bike["heading"])
    assert min(bike["timestamps"][0] for bike in replay["bikes"]) < START_MS + 120_000


def test_a_damaged_file_of_the_archive_is_named(station: Station, api: Api) -> None:
    """Routes that need it say which it is, and what to do; they answer once it is restored."""
    (file,) = station.worker.archive.path.glob("*/*.parquet")
    whole = file.read_bytes()
    bike = station.worker.roster.keys[0].bike_id
    routes = [
        "tracks?from=2026-03-04T08:10",
        f"bikes/{bike}/track",
        f"bikes/{bike}/path?date=2026-03-03",
        f"bikes/{bike}/day?date=2026-03-03",
        "bikes/days?date=2026-03-03",
    ]
    file.write_bytes(whole[: len(whole) // 2])
    try:
        for route in routes:
            answer = api.get(f"/api/v1/{route}")
            assert answer.status_code == 503, route
            problem = answer.json()
            assert problem["reason"] == "archive_damaged"
            assert f"the archive file {file} cannot be read" in problem["detail"]
    finally:
        file.write_bytes(whole)
    for route in routes:
        assert api.get(f"/api/v1/{route}").status_code == 200, route


def test_a_stop_does_not_wait_for_a_long_answer(tmp_path: Path) -> None:
    """It is worked out some bikes at a time, in a thread that the process would wait for."""
    station = new_station(tmp_path)
    asked = Api(station.app)
    route = f"/api/v1/tracks?from={NOW_MS - HOUR_MS}"
    assert asked.get(route).status_code == 200
    station.stop()
    answer = asked.get(f"{route}&step_s=60")
    assert (answer.status_code, answer.json()["reason"]) == (503, "stopping")
    station.book.close_file()
    station.log.close()
