"""Idleness: closed forms, a slow twin, and the edges of a record."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.idleness import Idleness, duty_idleness

FROM_MS, TO_MS = 1_000_000, 1_600_000
LENGTH_S = 600.0


def idleness(visits: list[tuple[int, int]], size: int = 3, to_ms: int = TO_MS) -> Idleness:
    cell = np.array([c for c, _ in visits], dtype=np.int32)
    at_ms = np.array([t for _, t in visits], dtype=np.int64)
    found = duty_idleness(cell, at_ms, np.arange(size, dtype=np.int32), [(FROM_MS, to_ms)])
    assert found is not None
    return found


def twin(visits: list[tuple[int, int]], size: int) -> tuple[list[float], list[float]]:
    """Mean and worst by the definition: the age of a cell, integrated gap by gap."""
    means, worsts = [], []
    for c in range(size):
        times = sorted(t for cell, t in visits if cell == c and FROM_MS <= t <= TO_MS)
        marks = [FROM_MS, *times, TO_MS]
        gaps = [(b - a) / 1000 for a, b in pairwise(marks)]
        means.append(sum(g * g for g in gaps) / (2 * LENGTH_S))
        worsts.append(max(gaps))
    return means, worsts


visit_lists = st.lists(
    st.tuples(st.integers(0, 4), st.integers(FROM_MS - 50_000, TO_MS + 50_000)), max_size=40
)


@given(visits=visit_lists)
def test_mean_and_worst_equal_a_slow_twin(visits):
    """Also with visits outside the record, on its ends, twice, and to few cells."""
    means, worsts = twin(visits, 5)
    got = idleness(visits, size=5)
    assert got.mean_s == pytest.approx(means)
    assert got.worst_s.tolist() == worsts


@given(visits=visit_lists, data=st.data())
def test_order_and_repetition_of_visits_do_not_show(visits, data):
    """Any permutation, with visits repeated, gives the same bits."""
    shuffled = data.draw(st.permutations(visits + visits[::2]))
    once, again = idleness(visits, size=5), idleness(shuffled, size=5)
    assert once.mean_s.tobytes() == again.mean_s.tobytes()
    assert once.worst_s.tobytes() == again.worst_s.tobytes()


@pytest.mark.parametrize(("agents", "length_m", "speed_mps"), [(1, 1200, 4), (3, 3600, 5)])
def test_agents_on_a_cycle_meet_the_closed_forms(agents, length_m, speed_mps):
    """k agents evenly on a cycle of length l at speed v: worst l/(kv), mean l/(2kv)."""
    period_s = length_m / (agents * speed_mps)
    rounds, cells = 50, 12
    to_ms = int(FROM_MS + rounds * period_s * 1000)
    visits = [
        (c, round(FROM_MS + (turn + c / cells) * period_s * 1000))
        for c in range(cells)
        for turn in range(rounds)
    ]
    got = idleness(visits, size=cells, to_ms=to_ms)
    assert got.worst_s == pytest.approx(np.full(cells, period_s))
    # A cell met in the middle of a round has two half gaps at the ends of the record.
    assert got.mean_s[0] == pytest.approx(period_s / 2)
    assert got.mean_s == pytest.approx(np.full(cells, period_s / 2), rel=1 / rounds)


def test_a_cell_that_was_never_visited_idles_all_the_time():
    """Worst T, mean T/2; and without any visit that holds for every cell."""
    got = idleness([(1, FROM_MS + 300_000)])
    assert got.worst_s.tolist() == [LENGTH_S, LENGTH_S / 2, LENGTH_S]
    assert got.mean_s.tolist() == [LENGTH_S / 2, LENGTH_S / 4, LENGTH_S / 2]
    assert idleness([]).mean_s.tolist() == [LENGTH_S / 2] * 3
    assert idleness([], size=0).mean_s.shape == (0,)


def test_visits_on_the_ends_of_the_record_belong_to_it_and_change_nothing():
    """A visit at the start or the end leaves a gap of nothing."""
    assert idleness([(0, FROM_MS), (0, TO_MS)]).worst_s[0] == LENGTH_S
    assert idleness([(0, FROM_MS - 1), (0, TO_MS + 1)]).mean_s[0] == LENGTH_S / 2


def test_a_record_without_duty_has_no_idleness():
    """None, because it has no length."""
    none = np.empty(0, np.int64)
    assert duty_idleness(none.astype(np.int32), none, np.arange(3, dtype=np.int32), []) is None


@given(visits=visit_lists.filter(bool))
def test_the_mean_is_the_time_average_of_the_age(visits):
    """Sampling the age of each cell once a second over the record gives its mean."""
    visits = [(c, t // 1000 * 1000) for c, t in visits]
    inside = [(c, t) for c, t in visits if FROM_MS <= t <= TO_MS]
    total = np.zeros(5)
    # The age rises by one in each second, so its average there is the one at half past.
    for at_ms in range(FROM_MS + 500, TO_MS, 1000):
        last = np.zeros(5, dtype=np.int64)
        for c, t in inside:
            if t <= at_ms:
                last[c] = max(last[c], t)
        total += (at_ms - np.where(last, last, FROM_MS)) / 1000
    assert idleness(visits, size=5).mean_s == pytest.approx(total / LENGTH_S)
