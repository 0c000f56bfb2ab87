"""Telemetry as columns."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bikes.telemetry import COLUMNS, TelemetryBatch

NAN = math.nan
Row = tuple[float, ...]

# Few values, so that keys repeat and ties go down to the last column.
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 3),
        st.sampled_from([36.0, 36.1]),
        st.sampled_from([120.0, 120.1]),
        st.sampled_from([1.0, 5.0, NAN]),
        st.sampled_from([0.0, NAN]),
        st.sampled_from([90.0, NAN]),
        st.just(NAN),
        st.sampled_from([80.0, NAN]),
    ),
    max_size=12,
)


def batch_of(rows: list[Row]) -> TelemetryBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    return TelemetryBatch(
        *(np.array(column, dtype) for column, dtype in zip(columns, COLUMNS.values(), strict=True))
    )


def same(one: TelemetryBatch, other: TelemetryBatch) -> bool:
    """Equal bit for bit."""
    return all(
        getattr(one, name).dtype == getattr(other, name).dtype
        and getattr(one, name).tobytes() == getattr(other, name).tobytes()
        for name in COLUMNS
    )


def slowly_distinct(rows: list[Row]) -> list[Row]:
    """The obvious twin: sort by everything, accuracy first, and keep the first of each key."""
    last = [tuple((math.isnan(v), 0.0 if math.isnan(v) else v) for v in row) for row in rows]
    ranked = sorted(range(len(rows)), key=lambda i: (last[i][:2], last[i][4], last[i]))
    kept: dict[tuple[float, float], Row] = {}
    for i in ranked:
        kept.setdefault(rows[i][:2], rows[i])
    return list(kept.values())


@given(ROWS)
def test_distinct_is_its_slow_twin(rows: list[Row]) -> None:
    """One row per bike and time, sorted; the most accurate stays, ties go by the other values."""
    assert same(batch_of(rows).distinct(), batch_of(slowly_distinct(rows)))


@given(ROWS, st.randoms(use_true_random=False))
def test_distinct_does_not_depend_on_order(rows: list[Row], random: Random) -> None:
    """Any permutation with any duplicates gives the same rows, bit for bit."""
    shuffled = rows + [row for row in rows if random.random() < 0.5]
    random.shuffle(shuffled)
    assert same(batch_of(rows).distinct(), batch_of(shuffled).distinct())


@given(ROWS, st.integers(0, 12))
def test_distinct_can_be_taken_in_parts(rows: list[Row], at: int) -> None:
    """The distinct of the distinct of two parts is that of the whole."""
    parts = [batch_of(rows[:at]).distinct(), batch_of(rows[at:]).distinct()]
    assert same(TelemetryBatch.concat(parts).distinct(), batch_of(rows).distinct())


def test_unknown_accuracy_is_the_worst() -> None:
    """A fix that says how accurate it is beats one that does not, whatever it says."""
    said = (0, 1, 36.0, 120.0, 5000.0, NAN, NAN, NAN, NAN)
    unsaid = (0, 1, 35.0, 119.0, NAN, NAN, NAN, NAN, NAN)
    assert batch_of([unsaid, said]).distinct().accuracy_m.tolist() == [5000.0]


@given(ROWS)
def test_distinct_is_sorted(rows: list[Row]) -> None:
    """Rows come out by bike, then time, each pair once."""
    distinct = batch_of(rows).distinct()
    keys = list(zip(distinct.bike.tolist(), distinct.timestamp_ms.tolist(), strict=True))
    assert all(one < other for one, other in pairwise(keys))


def test_take_and_concat() -> None:
    """Rows are taken by mask, slice or positions; concatenation is in order; empty is typed."""
    rows = [(i, i, 36.0, 120.0, 1.0, NAN, NAN, NAN, NAN) for i in range(3)]
    batch = batch_of(rows)
    assert batch.take(np.array([True, False, True])).bike.tolist() == [0, 2]
    assert batch.take(np.array([2, 0])).bike.tolist() == [2, 0]
    assert batch.take(slice(1, None)).bike.tolist() == [1, 2]
    assert TelemetryBatch.concat([batch, batch.take(slice(1))]).bike.tolist() == [0, 1, 2, 0]
    assert same(TelemetryBatch.concat([]), TelemetryBatch.empty())
    assert len(TelemetryBatch.empty().distinct()) == 0
    assert {n: getattr(TelemetryBatch.empty(), n).dtype for n in COLUMNS} == COLUMNS
