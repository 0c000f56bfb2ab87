"""Coverage is a function of the set of fixes, never of their arrival."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.telemetry import TelemetryBatch
from geofence.coverage import SLOT_MS, Rows
from geofence.quality import VERDICTS
from ingest.pipeline import Pipeline
from tests.histories import Everything
from tests.rides import batch, judge, messy, shuffled, stirred


def feed(pipeline: Pipeline, parts: list[TelemetryBatch]) -> None:
    for part in parts:
        assert isinstance(pipeline.history, Everything)
        pipeline.step(part)
        pipeline.history.take(part)


def same(rows: Rows, others: Rows) -> bool:
    """Bit for bit."""
    return all(np.array_equal(a, b) for a, b in zip(rows, others, strict=True))


def one_pass(fixes: TelemetryBatch) -> Rows:
    """The ledger of everything at once, without the pipeline."""
    return Rows.of(judge().assess(fixes.distinct())[1])


@settings(max_examples=60)
@stirred
def test_any_order_and_split_gives_the_same_ledger(
    seed: int, disorder_s: int, cuts: int, repeats: int
) -> None:
    """Permuted, repeated and cut into batches at will, a stream gives the ledger of one pass."""
    rng = np.random.default_rng(seed)
    fixes = messy(seed)
    pipeline = Pipeline(judge(), Everything())
    feed(pipeline, shuffled(fixes, rng, disorder_s=disorder_s, repeats=repeats, cuts=cuts))
    assert same(pipeline.ledger.view().rows(), one_pass(fixes))


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), disorder_s=st.sampled_from([0, 40, 3_000, 90_000]))
def test_settled_fixes_are_counted_by_their_verdict(seed: int, disorder_s: int) -> None:
    """Late fixes correct what was counted: the counts are those of one pass, in any order.

    So is which are settled: those that the limits tell at least, and mostly many more.
    """
    rng = np.random.default_rng(seed)
    fixes = messy(seed).distinct()
    sent = fixes.timestamp_ms + rng.integers(0, disorder_s * 1000 + 1, len(fixes))
    pipeline = Pipeline(judge(), Everything())
    feed(pipeline, [fixes.take(part) for part in np.array_split(np.argsort(sent), 12)])
    verdicts, _ = judge().assess(fixes)
    newest_ms = np.array([fixes.timestamp_ms[fixes.bike == bike].max() for bike in range(2)])
    trail_ms = pipeline.judge.limits.after_ms + round(pipeline.reorder_s * 1000)
    settled_ms = pipeline.state()["settled"]
    assert (settled_ms > newest_ms - trail_ms).all()
    counts = np.bincount(
        verdicts[fixes.timestamp_ms < settled_ms[fixes.bike]], minlength=len(VERDICTS)
    )
    assert pipeline.counters.verdicts == counts.tolist()


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), where=st.floats(0, 1), ahead=st.booleans())
def test_a_restored_pipeline_goes_on_as_if_nothing_had_happened(
    seed: int, where: float, ahead: bool
) -> None:
    """A snapshot in the middle changes nothing, also when history is ahead of the snapshot."""
    rng = np.random.default_rng(seed)
    fixes = messy(seed)
    order = np.argsort(fixes.timestamp_ms + rng.integers(0, 100_000, len(fixes)))
    parts = [fixes.take(part) for part in np.array_split(order, 20)]
    middle = int(where * len(parts))
    first = Pipeline(judge(), Everything())
    feed(first, parts[:middle])
    history = Everything()
    history.fixes = TelemetryBatch.concat(parts if ahead else parts[:middle])
    second = Pipeline(judge(), history)
    second.restore(first.state(), np.arange(2, dtype=np.int32))
    assert same(second.ledger.view().rows(), first.ledger.view().rows())
    feed(second, parts[middle:])
    assert same(second.ledger.view().rows(), one_pass(fixes))


def test_what_comes_again_is_counted_once() -> None:
    """A broker's redelivery is a duplicate, within a batch and across batches."""
    ride = batch([0, 5, 10], [0, 20, 40], [0, 0, 0])
    pipeline = Pipeline(judge(), Everything())
    feed(pipeline, [TelemetryBatch.concat([ride, ride]), ride])
    assert (pipeline.counters.fixes, pipeline.counters.duplicates) == (9, 6)


def test_a_fix_that_is_late_by_little_asks_no_history() -> None:
    """Two threads of a vendor's gateway may overtake each other for free."""
    at_s = [5.0 * i for i in range(200)]
    ride = batch(at_s, [4 * t for t in at_s], [0.0] * 200)
    shuffled = np.arange(200).reshape(-1, 2)[:, ::-1].ravel()
    pipeline = Pipeline(judge(), Everything())
    feed(pipeline, [ride.take(np.array([row])) for row in shuffled])
    assert pipeline.counters.restated == 0


def test_stored_fixes_of_many_bikes_ask_history_once() -> None:
    """Bikes that were out of reach hand in hundreds at once: one question, of their hour only."""

    at_s = [10.0 * i for i in range(2_000)]
    east = [abs(3 * s % 2_000 - 1_000) for s in at_s]
    rides = [batch(at_s, east, [0.0] * 2_000, bike=bike) for bike in range(4)]
    stored = np.arange(700, 1_000)
    history = Everything()
    pipeline = Pipeline(judge(), history)
    feed(pipeline, [ride.take(np.delete(np.arange(2_000), stored)) for ride in rides])
    assert history.asked == []
    feed(pipeline, [TelemetryBatch.concat([ride.take(stored) for ride in rides[:3]])])
    (asked,) = history.asked
    assert asked.bike.tolist() == [0, 1, 2]
    assert pipeline.counters.restated == 3
    stored_ms = 300 * 10_000
    margins_ms = 2 * (SLOT_MS + pipeline.judge.limits.before_ms + pipeline.judge.limits.after_ms)
    assert (asked.to_ms - asked.from_ms <= stored_ms + 2 * margins_ms).all()
    everything = TelemetryBatch.concat(rides)
    late = everything.take(
        (everything.bike < 3) | ~np.isin(np.arange(len(everything)) % 2_000, stored)
    )
    assert same(pipeline.ledger.view().rows(), one_pass(late))


def test_the_context_is_bounded() -> None:
    """Memory does not grow with the length of a run."""
    at_s = [5.0 * i for i in range(4_000)]
    # There and back, so that the ride stays in the district.
    east = [abs((4 * t) % 2_000 - 1_000) for t in at_s]
    ride = batch(at_s, east, [0.0] * len(at_s))
    pipeline = Pipeline(judge(), Everything())
    feed(pipeline, [ride.take(part) for part in np.array_split(np.arange(len(ride)), 80)])
    limits = pipeline.judge.limits
    span_s = (limits.before_ms + limits.after_ms) / 1000 + pipeline.reorder_s
    assert pipeline.state()["context_bike"].size <= span_s / 5 + 2
