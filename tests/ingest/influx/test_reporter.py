"""Coverage and health are noted when they should be, and nothing noted is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from geofence.windows import Window, WindowVerdict
from ingest.influx.file import InfluxFile
from ingest.influx.line_protocol import HealthFigures
from ingest.influx.reporter import RESTATED_MS, Reporter
from tests.influx_line import until
from tests.ingest.influx.test_line_protocol import AT_MS, Zone, points


def reporter(path: Path | str | InfluxFile) -> Reporter:
    return Reporter(
        file=path if isinstance(path, InfluxFile) else InfluxFile(Path(path)),
        health=lambda: HealthFigures(5, 4, 1, 0, 2, 0.5),
        parts=lambda: [("inlet", True, ""), ("outbox", False, "no network")],
        bikes_inside=lambda: {"cy-01": 3},
        now_ms=lambda: AT_MS,
        host="h",
    )


def kept(of: Reporter) -> bytes:
    found = of.file.waiting(0, 10**9)
    return found.lines if found else b""


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["due", "overdue"]))))
def test_a_zone_is_told_once_a_minute_and_when_its_state_changes(
    looks: list[tuple[int, str]],
) -> None:
    """However often it is looked at; and nothing else is said of the same instant."""
    of = reporter(":memory:")
    at_ms, expected, last = AT_MS, [], (0, "")
    for seconds, state in looks:
        at_ms += seconds * 1000
        of.coverage([Zone(state=state)], at_ms)
        if at_ms != last[0] and (state != last[1] or at_ms - last[0] >= 60_000):
            expected.append((at_ms, state))
            last = at_ms, state
    of.keep()
    assert [(point.at_ms, point.fields["state"]) for point in points(kept(of))] == expected
    of.file.close()


def test_windows_are_told_when_they_are_news() -> None:
    """Once each, and a correction when late data gives one another verdict; looked at now and
    then, and not before their last visits are certain; over a restart."""
    of = reporter(":memory:")
    hour_ms, verdicts = 3_600_000, {1: "short", 2: "unknown", 3: "reached"}

    def ended_since(after_ms: int) -> list[tuple[str, WindowVerdict]]:
        assert after_ms == at_ms - RESTATED_MS
        return [
            (
                "cy-01",
                WindowVerdict(verdict, "window_short", Window(AT_MS, AT_MS + n * hour_ms), 0.8),
            )
            for n, verdict in verdicts.items()
        ]

    last_ms = AT_MS + 3 * hour_ms  # the third window ends now
    looks = (last_ms, "short"), (last_ms + 1000, "reached"), (last_ms + 300_000, "reached")
    for at_ms, late in looks:
        verdicts[1] = late
        of.windows(ended_since, at_ms)
    of.keep()
    again = reporter(of.file)
    at_ms = last_ms + 600_000
    again.windows(ended_since, at_ms)
    again.keep()
    told = [
        (point.at_ms - AT_MS, *(point.fields[name] for name in ("reached", "short", "unknown")))
        for point in points(kept(of))
    ]
    assert told == [
        (hour_ms - 1, 0, 1, 0),
        (2 * hour_ms - 1, 0, 0, 1),
        (last_ms + 300_000 - AT_MS, 1, 0, 0),
        (3 * hour_ms - 1, 1, 0, 0),
    ]
    corrected = points(kept(of))[2]
    assert corrected.measurement == "zone_window_corrected"
    assert (corrected.fields["from_ms"], corrected.fields["to_ms"]) == (AT_MS, AT_MS + hour_ms)
    of.file.close()


def test_a_clock_that_was_set_back_silences_no_zone() -> None:
    """It does not wait for hours until the clock is again where it was."""
    of = reporter(":memory:")
    for at_ms in (AT_MS + 8 * 3_600_000, AT_MS, AT_MS + 59_999, AT_MS + 60_000):
        of.coverage([Zone()], at_ms)
    of.keep()
    noted = [point.at_ms - AT_MS for point in points(kept(of))]
    assert noted == [8 * 3_600_000, 0, 60_000]
    of.file.close()


def test_zones_that_are_due_are_told_together() -> None:
    """Each with the bikes that are inside just then."""
    of = reporter(":memory:")
    of.coverage([Zone(), Zone(zone_id="cy-02")], AT_MS)
    of.keep()
    inside = {p.tags["zone_id"]: p.fields["bikes_inside"] for p in points(kept(of))}
    assert inside == {"cy-01": 3, "cy-02": 0}


def test_health_is_noted_at_once_and_kept_on_disk(tmp_path: Path) -> None:
    """With the state of every part."""

    async def scenario() -> None:
        of = reporter(tmp_path / "influx.sqlite")
        running = asyncio.create_task(of.run())
        await until(lambda: bool(kept(of)))
        running.cancel()
        of.file.close()

    asyncio.run(scenario())
    health, inlet, outbox = points(kept(reporter(tmp_path / "influx.sqlite")))
    assert health.fields["stored"] == 4
    assert (inlet.tags["part"], inlet.fields["ok"]) == ("inlet", 1)
    assert outbox.fields == {"ok": 0, "reason": "no network"}


def test_what_cannot_be_kept_stays_in_memory(tmp_path: Path) -> None:
    """A disk that is full for a while costs nothing."""
    of = reporter(tmp_path / "influx.sqlite")
    of.coverage([Zone()], AT_MS)
    of.file.close()
    of.file = InfluxFile(tmp_path / "influx.sqlite", waiting_bytes=10**6)
    of.keep()
    of.keep()
    assert len(points(kept(of))) == 1
