"""What is said of a fix is said once; with the corrections it is what one pass over all says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.roster import BikeKey
from bikes.telemetry import TelemetryBatch
from geofence import quality
from geofence.intervals import keys
from ingest.contexts import Judged
from ingest.pipeline import Pipeline
from ingest.verdict_stream import WAIT_MS, Bike, Said, VerdictStream
from tests.histories import Everything
from tests.rides import START_MS, batch, disorders, judge, messy, shuffled, stirred

Key = tuple[int, int]


def rows(judged: Judged) -> list[tuple[Key, int]]:
    found = zip(judged.fixes.bike.tolist(), judged.fixes.timestamp_ms.tolist(), strict=True)
    return list(zip(found, judged.verdicts.tolist(), strict=True))


def one_pass(fixes: TelemetryBatch) -> dict[Key, int]:
    distinct = fixes.distinct()
    return dict(rows(Judged(distinct, judge().assess(distinct)[0])))


@dataclass
class Heard:
    """Whoever is told: refuses to be told anything twice."""

    first: set[Key] = field(default_factory=set)
    final: dict[Key, int] = field(default_factory=dict)
    corrected: dict[Key, int] = field(default_factory=dict)

    def hear(self, said: Said) -> None:
        for key, _ in rows(said.first):
            assert key not in self.first
            self.first.add(key)
        for key, verdict in rows(said.final):
            assert key in self.first
            assert key not in self.final
            self.final[key] = verdict
        self.corrected.update(rows(said.corrected))

    @property
    def now(self) -> dict[Key, int]:
        return {**self.final, **self.corrected}


@dataclass
class Line:
    """What comes in, the worker that knows what was there before, and the stream."""

    history: Everything = field(default_factory=Everything)
    ahead: bool = False
    said: list[tuple[TelemetryBatch, int]] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)
    at_ms: int = START_MS

    def __post_init__(self) -> None:
        self.worker = Pipeline(judge(), Everything())
        self.stream = VerdictStream(judge(), self.history)

    def take(self, fixes: TelemetryBatch) -> Said:
        self.at_ms += 1_000
        self.worker.step(fixes)
        again = self.worker.repeats(fixes)
        self.worker.history.take(fixes)  # type: ignore[attr-defined]
        if not self.ahead:
            self.history.take(fixes)
        said = self.stream.step(fixes, again, self.at_ms)
        self.said.append((said.first.fixes, self.at_ms))
        self.heard.hear(said)
        return said

    def silence(self) -> Said:
        """Nobody is heard until all verdicts are said."""
        self.at_ms += WAIT_MS + 1_000
        none = TelemetryBatch.empty()
        said = self.stream.step(none, np.empty(0, dtype=bool), self.at_ms)
        self.heard.hear(said)
        return said

    def restart(self) -> None:
        """As from the file of the writer."""
        old, bikes = self.stream, np.arange(self.stream.decided_ms.size, dtype=np.int32)
        times = zip(old.newest_ms(bikes).tolist(), old.decided_ms.tolist(), strict=True)
        self.stream = VerdictStream(judge(), self.history)
        self.stream.restore(
            bikes.tolist(),
            [Bike(BikeKey("hello", str(bike)), *each) for bike, each in enumerate(times)],
            [
                (bike, at_ms, first.timestamp_ms[first.bike == bike])
                for first, at_ms in self.said
                for bike in np.unique(first.bike).tolist()
            ],
        )


@settings(max_examples=25)
@stirred
def test_any_order_and_split_ends_with_the_verdicts_of_one_pass(
    seed: int, disorder_s: int, cuts: int, repeats: int
) -> None:
    """Permuted, repeated and cut into batches at will, each fix and each verdict is said once.

    The verdicts are those of one pass, unless a better fix of the same instant came too late.
    """
    fixes, line = messy(seed), Line()
    alike = bool(seed % 2)
    fixes = fixes.distinct() if alike else fixes
    rng = np.random.default_rng(seed)
    for part in shuffled(fixes, rng, disorder_s=disorder_s, cuts=cuts, repeats=repeats):
        line.take(part)
    line.silence()
    expected = one_pass(fixes)
    assert line.heard.first == line.heard.final.keys() == expected.keys()
    if alike:
        assert line.heard.now == expected


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    disorder_s=disorders,
    deaths=st.sets(st.integers(1, 19), max_size=3),
    ahead=st.booleans(),
)
def test_a_restart_says_nothing_twice(
    seed: int, disorder_s: int, deaths: set[int], ahead: bool
) -> None:
    """Killed after any batch, each fix has one verdict, and in the end that of one pass.

    When history is ahead of the stream, as it is after an outage of the store, a verdict may be
    that of the fixes that come later.
    """
    fixes, line = messy(seed).distinct(), Line(ahead=ahead)
    rng = np.random.default_rng(seed)
    if ahead:
        line.history.take(fixes)
    for at, part in enumerate(shuffled(fixes, rng, disorder_s=disorder_s, cuts=19, repeats=10)):
        if at in deaths:
            line.restart()
        line.take(part)
    line.restart()
    line.silence()
    expected = one_pass(fixes)
    assert line.heard.first == line.heard.final.keys() == expected.keys()
    if not ahead:
        assert line.heard.now == expected


def test_a_ride_in_order_costs_two_points_a_fix() -> None:
    """Its place at once, and its verdict once; history is not asked."""
    at_s = [5.0 * i for i in range(100)]
    ride, line = batch(at_s, [4 * t for t in at_s], [0.0] * 100), Line()
    said = [line.take(ride.take(slice(i, i + 1))) for i in range(100)]
    assert [len(each.first.fixes) for each in said] == [1] * 100
    assert [each.interval_s.tolist() for each in said[1:]] == [[5.0]] * 99
    assert np.isnan(said[0].interval_s).all()
    assert 85 < len(line.heard.final) < 100
    line.silence()
    assert len(line.heard.final) == 100
    assert line.heard.corrected == {}
    assert line.history.asked == []


def test_a_verdict_that_may_change_waits() -> None:
    """A bike that has stood for two minutes was parked all the time, and never said to ride."""
    at_s = [10.0 * i for i in range(60)]
    ride, line = batch(at_s, [0.0] * 60, [0.0] * 60), Line()
    seen = [line.take(ride.take(slice(i, i + 1))).first.verdicts[0] for i in range(60)]
    assert seen[0] == quality.OK, "at first sight"
    line.silence()
    assert set(line.heard.final.values()) == {int(quality.PARKED)}
    assert line.heard.corrected == {}


def test_the_last_verdicts_of_a_day_are_said_while_others_ride() -> None:
    """A bike that falls silent has them ten minutes later."""
    line = Line()
    ride = batch([0, 5, 10], [0, 20, 40], [0, 0, 0])
    line.take(ride)
    assert line.heard.final == {}
    line.at_ms += WAIT_MS
    said = line.take(replace(ride, bike=np.full(3, 1, np.int32)))
    assert [key for key, _ in rows(said.final)] == [(0, START_MS + at) for at in (0, 5_000, 10_000)]


def test_a_late_fix_corrects_beside_what_was_said() -> None:
    """What was a jump, because nobody else was there, is none once its neighbours come."""
    at_s = [5.0 * i for i in range(60)]
    east = [4 * t for t in at_s]
    east[30] += 2_000
    ride, line = batch(at_s, east, [0.0] * 60), Line()
    line.take(ride)
    line.silence()
    key = (0, START_MS + 150_000)
    assert line.heard.final[key] == quality.TELEPORT
    near = batch([149.5, 150.5], [east[30], east[30]], [0.0, 0.0])
    said = line.take(near)
    assert len(said.final.fixes) == 2
    assert key in dict(rows(said.corrected))
    assert key not in dict(rows(said.final))


def test_a_repeated_fix_says_nothing() -> None:
    """A broker's redelivery, or a day that is handed in again, is no new point."""
    ride, line = batch([0, 5, 100], [0, 20, 400], [0, 0, 0]), Line()
    line.take(ride)
    said = line.take(TelemetryBatch.concat([ride, ride]))
    assert [len(part.fixes) for part in (said.first, said.final, said.corrected)] == [0, 0, 0]


def test_of_two_fixes_of_one_instant_the_first_is_said() -> None:
    """The better one counts for the verdict; what was said of the other does not change."""
    first = batch([0], [0], [0], accuracy_m=200)
    better = replace(first, accuracy_m=np.array([3.0], np.float32))
    for apart in (True, False):
        line = Line()
        parts = [first, better] if apart else [TelemetryBatch.concat([first, better])]
        said = [line.take(part) for part in parts]
        assert said[0].first.fixes.accuracy_m.tolist() == [200.0]
        assert not len(said[-1].first.fixes) or not apart
        line.silence()
        assert list(line.heard.final.values()) == [quality.OK]


def test_the_context_is_bounded() -> None:
    """Memory does not grow with the length of a run."""
    at_s = [5.0 * i for i in range(2_000)]
    east = [abs((4 * t) % 2_000 - 1_000) for t in at_s]
    ride, line = batch(at_s, east, [0.0] * len(at_s)), Line()
    for low, high in pairwise(range(0, 2_001, 50)):
        line.take(ride.take(slice(low, high)))
    assert line.stream.context_rows <= (360 + 240 + 30) / 5 + 1
    assert np.unique(keys(ride.bike, ride.timestamp_ms)).size == len(line.heard.first)
