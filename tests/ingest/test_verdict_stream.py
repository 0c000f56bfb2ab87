"""What was told last of every fix is what one pass over all fixes says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.telemetry import TelemetryBatch
from geofence import quality
from ingest.contexts import Judged
from ingest.verdict_stream import VerdictStream
from tests.histories import Everything
from tests.rides import batch, disorders, judge, messy, shuffled, stirred

Told = dict[tuple[int, int], int]


def rows(judged: Judged) -> list[tuple[tuple[int, int], int]]:
    keys = zip(judged.fixes.bike.tolist(), judged.fixes.timestamp_ms.tolist(), strict=True)
    return list(zip(keys, judged.verdicts.tolist(), strict=True))


def tell(told: Told, judged: Judged) -> None:
    """As a store that keeps the last of every key; what was replaced has a key of its own."""
    told.update((key, code) for key, code in rows(judged) if code != quality.DUPLICATE)


def one_pass(fixes: TelemetryBatch) -> Told:
    distinct = fixes.distinct()
    return dict(rows(Judged(distinct, judge().assess(distinct)[0])))


@settings(max_examples=60)
@stirred
def test_any_order_and_split_ends_with_the_verdicts_of_one_pass(
    seed: int, disorder_s: int, cuts: int, repeats: int
) -> None:
    """Permuted, repeated and cut into batches at will, a stream tells what one pass would."""
    rng = np.random.default_rng(seed)
    fixes = messy(seed)
    history, told = Everything(), Told()
    stream = VerdictStream(judge(), history)
    for part in shuffled(fixes, rng, disorder_s=disorder_s, cuts=cuts, repeats=repeats):
        history.take(part)
        tell(told, stream.step(part))
    assert told == one_pass(fixes)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    disorder_s=disorders,
    deaths=st.lists(st.tuples(st.integers(1, 19), st.integers(0, 3)), max_size=3),
    ahead=st.booleans(),
)
def test_a_restart_ends_with_the_verdicts_of_one_pass(
    seed: int, disorder_s: int, deaths: list[tuple[int, int]], ahead: bool
) -> None:
    """Killed after any batch, with some batches told but not committed, nothing differs.

    Also not when history is ahead of the stream, as it is after an outage of the store.
    """
    rng = np.random.default_rng(seed)
    fixes = messy(seed)
    parts = shuffled(fixes, rng, disorder_s=disorder_s, cuts=19, repeats=10)
    history, told = Everything(), Told()
    if ahead:
        history.take(fixes)
    stream = VerdictStream(judge(), history)
    newest: dict[int, int] = {}
    pending = sorted(deaths)
    at = 0
    while at < len(parts):
        part = parts[at]
        if not ahead:
            history.take(part)
        tell(told, stream.step(part))
        at += 1
        for bike in np.unique(part.bike).tolist():
            last_ms = int(part.timestamp_ms[part.bike == bike].max())
            newest[bike] = max(newest.get(bike, 0), last_ms)
        if pending and pending[0][0] <= at:
            # What the last batches have told stays told; they come again.
            at = max(0, at - pending.pop(0)[1])
            stream = VerdictStream(judge(), history)
            stream.restore(newest)
    assert told == one_pass(fixes)


def test_a_fix_in_order_is_told_once() -> None:
    """A ride without trouble costs one point a fix: the provisional verdict was right."""
    at_s = [5.0 * i for i in range(100)]
    ride = batch(at_s, [4 * t for t in at_s], [0.0] * 100)
    history = Everything()
    stream = VerdictStream(judge(), history)
    told = [len(stream.step(ride.take(slice(i, i + 1))).fixes) for i in range(100)]
    assert told == [1] * 100
    assert history.asked == []


def test_a_verdict_that_changes_is_told_again() -> None:
    """A bike that has stood for two minutes was parked all the time."""
    at_s = [10.0 * i for i in range(20)]
    ride = batch(at_s, [0.0] * 20, [0.0] * 20)
    stream = VerdictStream(judge(), Everything())
    last: Told = {}
    for i in range(20):
        judged = stream.step(ride.take(slice(i, i + 1)))
        again = [key for key, _ in rows(judged) if key in last]
        tell(last, judged)
        if again:
            break
    assert i == 12
    assert len(again) == 12
    assert set(last.values()) == {int(quality.PARKED)}


def test_a_duplicate_tells_nothing() -> None:
    """A broker's redelivery is no new point."""
    ride = batch([0, 5, 10], [0, 20, 40], [0, 0, 0])
    stream = VerdictStream(judge(), Everything())
    assert len(stream.step(ride).fixes) == 3
    assert len(stream.step(ride).fixes) == 0


def test_a_fix_that_is_replaced_in_another_zone_is_told_as_duplicate() -> None:
    """The zone is part of a point's key: the old point would stay, and look like a fix."""
    east_m = judge().atlas.grid.metres_per_lng * (120.40 - 120.38)
    first = batch([0], [east_m - 30], [0], accuracy_m=20)
    better = batch([0], [east_m + 30], [0], accuracy_m=3)
    stream = VerdictStream(judge(), Everything())
    stream.step(first)
    judged = stream.step(better)
    assert [code for _, code in rows(judged)] == [quality.DUPLICATE, quality.OK]
    assert judged.fixes.lng_deg.tolist() == [first.lng_deg[0], better.lng_deg[0]]


def test_a_fix_that_is_replaced_in_the_same_zone_is_told_again() -> None:
    """The better of two fixes with one timestamp overwrites the other."""
    first = batch([0], [0], [0], accuracy_m=20)
    better = replace(first, accuracy_m=np.array([3.0], np.float32))
    stream = VerdictStream(judge(), Everything())
    stream.step(first)
    judged = stream.step(better)
    assert judged.fixes.accuracy_m.tolist() == [3.0]


def test_the_context_is_bounded() -> None:
    """Memory does not grow with the length of a run."""
    at_s = [5.0 * i for i in range(2_000)]
    east = [abs((4 * t) % 2_000 - 1_000) for t in at_s]
    ride = batch(at_s, east, [0.0] * len(at_s))
    stream = VerdictStream(judge(), Everything())
    for part in np.array_split(np.arange(2_000), 40):
        stream.step(ride.take(part))
    assert stream.context_rows <= (360 + 240 + 30) / 5 + 1
