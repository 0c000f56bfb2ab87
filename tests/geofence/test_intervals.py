"""Intervals against sets of instants."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.intervals import Intervals, keys
from tests.spans import one_span

stretch = st.tuples(st.integers(0, 2), st.integers(-5, 30), st.integers(0, 8))
instants = [(bike, at) for bike in range(4) for at in range(40)]
BIKE, AT_MS = (np.array(column) for column in zip(*instants, strict=True))
KEYS = keys(BIKE.astype(np.int32), AT_MS)


def joined(stretches: list[tuple[int, int, int]], lasts_ms: int | None = None) -> Intervals:
    """Intervals of some (bike, start, length), or all of one length."""
    kept: list[tuple[int, int, int]] = []
    for bike, at_ms, length_ms in sorted(stretches):
        end_ms = at_ms + (lasts_ms or length_ms)
        # Sorted by either end: one that lies inside the one before is no use.
        if not kept or kept[-1][0] != bike or kept[-1][2] <= end_ms:
            kept.append((bike, at_ms, end_ms))
    bikes, from_ms, to_ms = np.array(kept, np.int64).reshape(-1, 3).T
    return Intervals.joined(bikes.astype(np.int32), from_ms, to_ms)


def held(spans: Intervals) -> set[tuple[int, int]]:
    """The instants of some spans, one by one."""
    columns = zip(*(column.tolist() for column in spans), strict=True)
    return {(bike, at) for bike, from_ms, to_ms in columns for at in range(from_ms, to_ms)}


@settings(max_examples=200)
@given(st.lists(stretch, max_size=8), st.integers(1, 6))
def test_joined_spans_hold_what_their_parts_hold(
    stretches: list[tuple[int, int, int]], lasts_ms: int
) -> None:
    """No instant more, none less, and the spans of a bike are apart."""
    spans = joined(stretches, lasts_ms)
    expected = {(bike, at + n) for bike, at, _ in stretches for n in range(lasts_ms)}
    assert held(spans) == expected
    same_bike = spans.bike[1:] == spans.bike[:-1]
    assert (spans.from_ms[1:] > spans.to_ms[:-1])[same_bike].all()


@settings(max_examples=200)
@given(st.lists(stretch, max_size=8), st.integers(0, 4), st.integers(0, 4))
def test_an_instant_is_held_or_not(
    stretches: list[tuple[int, int, int]], before_ms: int, after_ms: int
) -> None:
    """Asked of columns in any order, or looked up among sorted ones; empty spans hold nothing."""
    for spans in (joined(stretches), joined(stretches).widened(before_ms, after_ms)):
        expected = [instant in held(spans) for instant in instants]
        assert spans.contain(BIKE.astype(np.int32), AT_MS).tolist() == expected
        assert spans.rows_among(KEYS).tolist() == np.flatnonzero(expected).tolist()
        assert spans.rows_among(KEYS[:0]).size == 0


@given(st.lists(stretch, max_size=9), st.integers(1, 4))
def test_parts_are_all_of_it(stretches: list[tuple[int, int, int]], size: int) -> None:
    """At most so many at a time, in order."""
    spans = joined(stretches)
    parts = list(spans.parts(size))
    assert all(0 < part.bike.size <= size for part in parts)
    for n, column in enumerate(spans):
        assert [x for part in parts for x in part[n].tolist()] == column.tolist()


def test_for_ever_is_as_long_as_time_can_be_told() -> None:
    """Ends before the epoch or after the year 2109 are those of the record."""
    spans = one_span(2, -(1 << 60), 1 << 60)
    assert spans.contain(BIKE.astype(np.int32), AT_MS).tolist() == (BIKE == 2).tolist()
    assert spans.rows_among(KEYS).tolist() == np.flatnonzero(BIKE == 2).tolist()
