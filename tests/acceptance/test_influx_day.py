"""A simulated day in real databases: every fix once, with the verdict that one pass gives it, and
no point ever changes."""

from __future__ import annotations

import asyncio
import random
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bikes.simulator import SimulatedMessage, SimulationPlan, Simulator
from bikes.telemetry import TelemetryBatch
from geofence.quality import VERDICTS
from geofence.runs import Judge
from ingest.errors import StoreUnavailable
from ingest.log import Messages
from ingest.verdict_stream import WAIT_MS
from patrol.assembly import district_of
from patrol.config.settings import load_with_zones
from patrol.simulate import sim_zones
from tests.fleets import HOUR_MS, START_MS
from tests.influx_line import Line, caught_up, run_until, until
from tests.influx_servers import Influx1, VictoriaMetrics, visible
from tests.spans import one_span
from tests.stations import SAMPLE

BIKES = 8
HOURS = 3


class Fix(NamedTuple):
    """What a database says of a fix."""

    bike_id: str
    at_ms: int
    zone_id: str
    lat: float
    lng: float
    speed_mps: float | None
    heading_deg: float | None
    accuracy_m: float | None
    battery_percent: int | None
    verdict: str


@cache
def sample_judge() -> Judge:
    """The sample district's."""
    settings, zones = load_with_zones(SAMPLE / "patrol.toml")
    return district_of(settings, zones, START_MS).judge


@cache
def day() -> list[SimulatedMessage]:
    """What a fleet sends, with all its faults: late uploads, duplicates, outliers, nonsense."""
    _, zones = load_with_zones(SAMPLE / "patrol.toml")
    plan = SimulationPlan(
        seed=5,
        vendor="hello",
        bike_ids=[f"HB{bike:04d}" for bike in range(BIKES)],
        zones=sim_zones(zones),
        start_ms=START_MS,
    )
    return list(Simulator(plan).messages(START_MS, START_MS + HOURS * HOUR_MS))


def take(line: Line, messages: list[SimulatedMessage]) -> None:
    """Receive messages; the clock is that of the last."""
    line.log.append(
        Messages(messages[-1].at_ms, [m.topic for m in messages], [m.payload for m in messages])
    )
    line.read()


def truth(line: Line) -> dict[tuple[str, int], Fix]:
    """Every fix that was accepted, judged in one pass."""
    judge, keys = sample_judge(), line.worker.roster.keys
    fixes = TelemetryBatch.concat(
        [line.worker.archive.within(one_span(bike, 0, 1 << 42)) for bike in range(BIKES)]
    )
    verdicts, _ = judge.assess(fixes)
    layout = judge.atlas.layout
    zones = layout.zone_of(fixes.lat_deg, fixes.lng_deg, fixes.timestamp_ms)
    names = [*layout.zone_ids, "none"]

    def value(column: np.ndarray, row: int, digits: int) -> float | None:
        return None if np.isnan(column[row]) else round(float(column[row]), digits)

    found = {}
    for row in range(len(fixes)):
        battery = value(fixes.battery_percent, row, 0)
        fix = Fix(
            keys[fixes.bike[row]].bike_id,
            int(fixes.timestamp_ms[row]),
            names[zones[row]],
            round(float(fixes.lat_deg[row]), 7),
            round(float(fixes.lng_deg[row]), 7),
            value(fixes.speed_mps, row, 2),
            value(fixes.heading_deg, row, 1),
            value(fixes.accuracy_m, row, 1),
            None if battery is None else int(battery),
            VERDICTS[verdicts[row]],
        )
        found[fix.bike_id, fix.at_ms] = fix
    return found


class Influx1Store:
    """InfluxDB 1.6 as a store: it has no ``/api/v2/write``, but reads the same lines.

    It refuses, for the test, to be told anything else of a point. Now and then its answer is lost.
    """

    renewed = False

    def __init__(self, server: Influx1, told: dict[bytes, bytes], rng: random.Random) -> None:
        self._server, self._told, self._rng = server, told, rng

    def write(self, lines: bytes) -> None:
        if self._rng.random() < 0.1:
            lines = lines[: lines.index(b"\n", len(lines) // 2) + 1]
            self._take(lines)
            raise StoreUnavailable("the answer is lost")
        self._take(lines)

    def _take(self, lines: bytes) -> None:
        for line in lines.splitlines():
            series, fields, at_ms = KEY.fullmatch(line).groups()  # type: ignore[union-attr]
            assert self._told.setdefault(series + at_ms, fields) == fields, line
        status, text = self._server.write(lines)
        assert status == 204, text

    def close(self) -> None:
        pass


KEY = re.compile(rb"((?:[^ \\]|\\.)+) (.*) (\d+)")
"""Series, fields and time of a line."""


def rows(server: Influx1, measurement: str, *names: str) -> list[tuple[Any, ...]]:
    """Every point of a measurement."""
    found = []
    for series in server.query(f"SELECT * FROM {measurement}"):
        column = {name: place for place, name in enumerate(series["columns"])}
        order = [column["time" if name == "at_ms" else name] for name in names]
        found += [tuple(row[place] for place in order) for row in series["values"]]
    return found


def test_influxdb_has_every_fix_and_no_point_changes(tmp_path: Path) -> None:
    """Whatever comes late or twice, whenever we are killed, and if no answer comes."""
    messages, rng = day(), random.Random(1)
    told: dict[bytes, bytes] = {}
    rejected = 0
    size = -(-len(messages) // 6)
    lives = [messages[at : at + size] for at in range(0, len(messages), size)]
    later_ms = messages[-1].at_ms + WAIT_MS + 60_000
    lives.append([SimulatedMessage(later_ms, "patrol/v1/hello/HB0000/status", b"online", 0)])
    with Influx1(tmp_path / "influx") as server:
        for part in lives:
            line = Line(
                tmp_path / "line",
                store=lambda: Influx1Store(server, told, rng),
                judged_by=sample_judge(),
                bikes=BIKES,
            )
            line.now_ms = part[0].at_ms
            line.writer.settle_s = rng.choice([0.0, 0.5])
            line.writer.first_wait_s = 0.01

            async def scenario(line: Line, part: list[SimulatedMessage], last: bool) -> None:
                line.read()
                writing = asyncio.create_task(line.writer.run())
                if last:
                    await until(lambda: caught_up(line) or writing.done())
                for at in range(0, len(part), 400):
                    take(line, part[at : at + 400])
                    await asyncio.sleep(0.02)
                if last:
                    await until(lambda: caught_up(line) or writing.done())
                    line.writer.stop()
                    await writing
                elif flush := line.worker.archive.begin_flush():
                    line.worker.write_archive(flush)
                writing.cancel()  # with whatever is under way
                await asyncio.gather(writing, return_exceptions=True)

            asyncio.run(scenario(line, part, part is lives[-1]))
            expected, rejected = truth(line), rejected + line.worker.view.total.rejected
            line.close()
        found = rows(server, "bike_telemetry", *Fix._fields[:-1])
        corrected = {
            (bike_id, at_ms): verdict
            for bike_id, at_ms, verdict in sorted(
                rows(server, "bike_verdict_corrected", "bike_id", "fix_ms", "verdict")
            )
        }
        verdicts = rows(server, "bike_verdict", "bike_id", "at_ms", "verdict")
        assert len(expected) > 15_000
        assert len({fix.verdict for fix in expected.values()}) >= 4
        assert len(found) == len(verdicts) == len(expected), "each once"
        assert {fix[:2]: fix for fix in found} == {key: fix[:-1] for key, fix in expected.items()}
        now = {(bike_id, at_ms): verdict for bike_id, at_ms, verdict in verdicts} | corrected
        assert now == {key: fix.verdict for key, fix in expected.items()}
        assert len(corrected) < len(expected) / 100
        (rejects,) = server.query('SELECT sum("rejected") FROM ingest_rejects')
        assert rejects["values"][0][1] == rejected > 0


def test_victoriametrics_has_every_fix(tmp_path: Path) -> None:
    """Written through InfluxDB's client, counted back through the export, without deduplication."""
    with VictoriaMetrics(tmp_path / "vm") as server:
        line = Line(tmp_path / "line", server.url, judged_by=sample_judge(), bikes=BIKES)
        messages = day()
        for at in range(0, len(messages), 2_000):
            take(line, messages[at : at + 2_000])
        run_until(line, lambda: caught_up(line))
        expected = truth(line)
        line.close()
        for name in ("lat", "lng", "speed_mps", "heading_deg", "accuracy_m", "battery_percent"):
            wanted = {key: getattr(fix, name) for key, fix in expected.items()}
            wanted = {key: value for key, value in wanted.items() if value is not None}
            samples = visible(
                lambda name=name: list(server.export(f"bike_telemetry_{name}")),
                lambda samples, wanted=wanted: len(samples) >= len(wanted),
            )
            found = {(tags["bike_id"], at_ms): value for tags, at_ms, value in samples}
            assert found == wanted
            assert len(samples) == len(wanted), "nothing is there twice"
