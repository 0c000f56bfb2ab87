"""The way of bikes, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from geofence.steps import Steps


def steps(*pairs: tuple[int, int, bool]) -> Steps:
    """Steps from row to row, and whether each is path."""
    a, b, rides = np.array(pairs, np.intp).reshape(-1, 3).T
    return Steps(a, b, np.ones(len(pairs)), rides.astype(bool))


def slowly(found: Steps) -> list[list[int]]:
    """One step after the other: a stretch goes on where the one before ended."""
    stretches: list[list[int]] = []
    for a, b, rides in zip(*(c.tolist() for c in (found.a, found.b, found.rides)), strict=True):
        if not rides:
            continue
        if stretches and stretches[-1][-1] == a:
            stretches[-1].append(b)
        else:
            stretches.append([a, b])
    return stretches


@pytest.mark.parametrize(
    "found",
    [
        steps(),
        steps((0, 1, True)),
        steps((0, 1, False)),
        steps((0, 1, True), (1, 2, True), (2, 3, True)),
        steps((0, 1, True), (1, 2, False), (2, 3, True)),
        steps((0, 2, True), (2, 3, True), (4, 5, True), (5, 7, True)),
        steps((0, 1, False), (1, 2, True), (3, 4, True), (4, 5, False)),
    ],
)
def test_stretches_end_where_the_path_does(found: Steps) -> None:
    """At a gap, and where the bike is parked; a rejected fix between two steps is passed over."""
    assert [rows.tolist() for rows in found.stretches()] == slowly(found)


def test_stretches_of_many_steps_are_those_of_a_loop() -> None:
    """Whatever breaks there are."""
    rng = np.random.default_rng(7)
    rows = np.sort(rng.choice(5_000, 3_000, replace=False))
    whole = rng.random(rows.size - 1) < 0.9
    a, b = rows[:-1][whole], rows[1:][whole]
    found = Steps(a, b, np.ones(a.size), rng.random(a.size) < 0.95)
    assert [stretch.tolist() for stretch in found.stretches()] == slowly(found)
