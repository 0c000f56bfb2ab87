"""Nothing that was acknowledged is lost, whenever the process dies."""

from __future__ import annotations

import random
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bikes.roster import Roster
from bikes.simulator import SimulatedMessage, SimulationPlan, Simulator
from ingest.log import Messages, SqliteLog
from ingest.worker import READERS
from patrol.assembly import decoder_of, district_of, worker_of
from patrol.config.settings import load_with_zones
from patrol.simulate import sim_zones
from tests.broker import Broker
from tests.stations import SAMPLE, Station, new_station

MESSAGES = 20_000


def morning() -> list[SimulatedMessage]:
    """The first messages of yesterday's patrol."""
    settings, zones = load_with_zones(SAMPLE / "patrol.toml")
    zone = ZoneInfo("Asia/Shanghai")
    yesterday = datetime.now(zone).replace(hour=8, minute=0, second=0, microsecond=0)
    start_ms = round((yesterday - timedelta(days=1)).timestamp() * 1000)
    bikes = settings.vendors["hello"].bikes
    assert bikes != "any"
    plan = SimulationPlan(
        seed=7, vendor="hello", bike_ids=bikes, zones=sim_zones(zones), start_ms=start_ms
    )
    found = []
    for message in Simulator(plan).messages(start_ms, start_ms + 3_600_000):
        if message.items:
            found.append(message)
        if len(found) == MESSAGES:
            break
    return found


def truth(messages: list[SimulatedMessage]) -> dict[str, list[int]]:
    """Distinct timestamps of accepted fixes, by bike."""
    settings, _ = load_with_zones(SAMPLE / "patrol.toml")
    roster = Roster({"hello": settings.vendors["hello"].bikes})
    now_ms = time.time_ns() // 1_000_000
    raw = Messages(now_ms, [m.topic for m in messages], [m.payload for m in messages])
    fixes = decoder_of(settings, roster).decode(raw).telemetry.distinct()
    by_bike: dict[str, list[int]] = {}
    for bike, at_ms in zip(fixes.bike.tolist(), fixes.timestamp_ms.tolist(), strict=True):
        by_bike.setdefault(roster.key(bike).bike_id, []).append(at_ms)
    return by_bike


def track(station: Station, bike: str, from_ms: int, to_ms: int) -> list[tuple[int, str]]:
    """All pages of a bike's track: time and verdict."""
    rows: list[tuple[int, str]] = []
    cursor = ""
    while True:
        zone = ZoneInfo("Asia/Shanghai")
        span = "&".join(
            f"{name}={datetime.fromtimestamp(ms / 1000, zone).strftime('%Y-%m-%dT%H:%M:%S')}"
            for name, ms in (("from", from_ms), ("to", to_ms))
        )
        page: dict[str, Any] = station.get(
            f"/api/v1/bikes/{bike}/track?{span}&limit=1000{cursor and '&cursor=' + cursor}"
        )
        properties = page["properties"]
        rows += zip(properties["timestamps"], properties["verdicts"], strict=True)
        if not page.get("next_cursor"):
            return rows
        cursor = page["next_cursor"]


def ledger(station: Station) -> dict[tuple[str, int, int], tuple[int, ...]]:
    """The ledger of a station that has stopped, by bike, slot and cell."""
    settings, zones = load_with_zones(station.config)
    now_ms = time.time_ns() // 1_000_000
    folder = settings.storage.path
    log = SqliteLog(folder / "log.sqlite", READERS)
    worker = worker_of(district_of(settings, zones, now_ms), log, folder)
    worker.restore(now_ms)
    assert worker.seq == log.head
    log.close()
    rows = worker.pipeline.ledger.view().rows()
    names = [str(key) for key in worker.roster.keys]
    keys = zip(
        [names[bike] for bike in rows.bike.tolist()],
        rows.slot.tolist(),
        rows.cell.tolist(),
        strict=True,
    )
    values = zip(*(column.tolist() for column in rows[1:4]), strict=True)
    return dict(zip(keys, values, strict=True))


def read(station: Station) -> int:
    """Items that a station has read."""
    return round(station.metric("zhixun_received_total"))


@pytest.mark.timeout(240)
def test_three_sigkills_lose_nothing_and_change_nothing(tmp_path: Path) -> None:
    """Of 20,000 messages each fix is in the track once, and coverage is that of a calm run."""
    messages = morning()
    random_ = random.Random(20_000)
    with Broker(tmp_path / "broker", extra="max_queued_messages 0") as broker:
        calm = new_station(tmp_path / "calm", broker.url)
        killed = new_station(
            tmp_path / "killed", broker.url, **{"zhixun-chengyang": "zhixun-killed"}
        )
        try:
            for station in (calm, killed):
                station.start()
            for station in (calm, killed):
                station.wait(station.ready)

            def publish() -> None:
                sent = 0
                for at in range(0, MESSAGES, 500):
                    part = messages[at : at + 500]
                    broker.publish([(m.topic, m.payload) for m in part], qos=1)
                    sent += sum(m.items for m in part)
                    calm.wait(lambda sent=sent: read(calm) >= sent)

            publishing = threading.Thread(target=publish)
            publishing.start()
            for third in range(3):
                least = random_.randrange(third * MESSAGES // 3, (third + 1) * MESSAGES // 3)
                killed.wait(lambda least=least: read(killed) >= least)
                killed.accounts()
                killed.kill()
                killed.start()
                killed.wait(killed.ready)
            publishing.join()

            expected = truth(messages)
            first = min(at[0] for at in expected.values())
            last = max(at[-1] for at in expected.values())
            total = sum(m.items for m in messages)
            calm.wait(lambda: read(calm) >= total)
            found: dict[str, list[tuple[int, str]]] = {}

            def all_there() -> bool:
                for bike in expected:
                    found[bike] = track(killed, bike, first - 1000, last + 1000)
                return all(len(found[bike]) >= len(expected[bike]) for bike in expected)

            killed.wait(all_there)
            for bike, timestamps in expected.items():
                assert [at for at, _ in found[bike]] == timestamps
                assert found[bike] == track(calm, bike, first - 1000, last + 1000)
            stored = sum(len(timestamps) for timestamps in expected.values())
            killed.wait(lambda: killed.accounts()["hello"]["received"] >= total)
            for station in (calm, killed):
                # What was on disk and not acknowledged at a kill has come again: as duplicates.
                assert station.accounts()["hello"]["stored"] == stored
            for station in (calm, killed):
                code, took_s = station.timed_stop()
                assert code == 0
                assert took_s < 5
        finally:
            calm.kill()
            killed.kill()
    assert ledger(killed) == ledger(calm)
    assert ledger(calm)
