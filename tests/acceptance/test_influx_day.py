"""A simulated day in real databases: every fix once, with the verdict that one pass gives it."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bikes.simulator import SimulatedMessage, SimulationPlan, Simulator
from bikes.telemetry import TelemetryBatch
from geofence.quality import VERDICTS
from geofence.runs import Judge
from ingest.log import Messages
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
    verdict: str
    lat: float
    lng: float
    speed_mps: float | None
    heading_deg: float | None
    accuracy_m: float | None
    battery_percent: int | None


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
            VERDICTS[verdicts[row]],
            round(float(fixes.lat_deg[row]), 7),
            round(float(fixes.lng_deg[row]), 7),
            value(fixes.speed_mps, row, 2),
            value(fixes.heading_deg, row, 1),
            value(fixes.accuracy_m, row, 1),
            None if battery is None else int(battery),
        )
        found[fix.bike_id, fix.at_ms] = fix
    return found


class Influx1Store:
    """InfluxDB 1.6 as a store: it has no ``/api/v2/write``, but reads the same lines."""

    renewed = False

    def __init__(self, server: Influx1) -> None:
        self._server = server

    def write(self, lines: bytes) -> None:
        status, text = self._server.write(lines)
        assert status == 204, text

    def close(self) -> None:
        pass


def rows(server: Influx1) -> list[Fix]:
    """Every point of telemetry in InfluxDB."""
    (series,) = server.query("SELECT * FROM bike_telemetry")
    column = {name: place for place, name in enumerate(series["columns"])}
    order = [column["time" if name == "at_ms" else name] for name in Fix._fields]
    return [Fix(*(row[place] for place in order)) for row in series["values"]]


def test_influxdb_has_every_fix_with_its_verdict(tmp_path: Path) -> None:
    """Also those that changed after they were written, and whenever we were restarted."""
    messages = day()
    lives = 4
    per_life = -(-len(messages) // lives)
    with Influx1(tmp_path / "influx") as server:
        for life in range(lives):
            part = messages[life * per_life : (life + 1) * per_life]
            line = Line(
                tmp_path / "line",
                store=lambda: Influx1Store(server),
                judged_by=sample_judge(),
                bikes=BIKES,
            )
            line.writer.settle_s = 0.0

            async def scenario(line: Line, part: list[SimulatedMessage]) -> None:
                writing = asyncio.create_task(line.writer.run())
                for at in range(0, len(part), 400):
                    take(line, part[at : at + 400])
                    await asyncio.sleep(0.02)
                await until(lambda: caught_up(line) or writing.done())
                line.writer.stop()
                await writing

            asyncio.run(scenario(line, part))
            expected = truth(line)
            line.close()
        found = [fix for fix in rows(server) if fix.verdict != "duplicate"]
        assert len(expected) > 15_000
        assert len({fix.verdict for fix in expected.values()}) >= 4
        assert len(found) == len(expected), "each once"
        wrong = [fix for fix in found if expected[fix.bike_id, fix.at_ms] != fix]
        assert wrong == []
        (rejects,) = server.query('SELECT sum("rejected") FROM ingest_rejects')
        assert rejects["values"][0][1] == line.worker.view.total.rejected


def test_victoriametrics_has_every_fix(tmp_path: Path) -> None:
    """Written through InfluxDB's client, counted back through the export."""
    with VictoriaMetrics(tmp_path / "vm", dedup=True) as server:
        line = Line(tmp_path / "line", server.url, judged_by=sample_judge(), bikes=BIKES)
        messages = day()
        for at in range(0, len(messages), 2_000):
            take(line, messages[at : at + 2_000])
        run_until(line, lambda: caught_up(line))
        expected = truth(line)
        line.close()
        zones = {key: fix.zone_id for key, fix in expected.items()}
        for name in ("lat", "lng", "speed_mps", "heading_deg", "accuracy_m", "battery_percent"):
            wanted = {key: getattr(fix, name) for key, fix in expected.items()}
            wanted = {key: value for key, value in wanted.items() if value is not None}
            samples = visible(
                lambda name=name: list(server.export(f"bike_telemetry_{name}")),
                lambda samples, wanted=wanted: len(samples) >= len(wanted),
            )
            found = {
                (tags["bike_id"], at_ms): value
                for tags, at_ms, value in samples
                if zones[tags["bike_id"], at_ms] == tags["zone_id"]
            }
            assert found == wanted
            # What is there beyond are fixes that a better one replaced in another zone.
            assert len(samples) - len(wanted) < 5
