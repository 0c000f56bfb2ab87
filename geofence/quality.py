"""Which fixes can be believed: a named verdict for every fix.

Verdicts are a function of the set of a bike's fixes, never of their arrival, and they are
*local*: the verdict of a fix depends only on fixes up to :attr:`Limits.before_ms` earlier and
:attr:`Limits.after_ms` later. That is what lets the pipeline extend a run as fixes come in and
still agree, bit for bit, with one pass over everything (docs/decisions/0002).

Three kinds of rules, applied in this order; the first that speaks names the verdict.

1. Gates look at one fix: ``inaccurate``, ``outside_district``, ``off_shift``. What passes is
   *usable*. Usable fixes of one bike without a gap over ``max_gap_s``, within one local day,
   are a *run*.
2. Neighbours of a run must agree: the speed that the straight line between them implies must
   not exceed ``max_speed_mps``. A fix that agrees with neither neighbour is a ``teleport``, or
   ``too_fast`` when the line goes along (a bike in a van) instead of there and back. Two fixes
   that agree with each other are believed wherever they are, so one bad fix never makes the
   good ones after it look bad. The fix at the end of a run is judged on one neighbour and may
   change when the next arrives.
3. A believed fix within ``parked_radius_m`` (or its accuracy) of a place where the bike stayed
   for ``parked_after_s`` is ``parked``. So are the fixes of a run too short to show that, when
   they stay within the radius and each states that the bike stands: a lock that says where it is
   every ten minutes does not patrol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Verdict = Literal[
    "ok",
    "duplicate",
    "inaccurate",
    "teleport",
    "too_fast",
    "parked",
    "off_shift",
    "outside_district",
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""Names of the verdicts; a verdict column holds positions in this tuple as uint8."""

OK, DUPLICATE, INACCURATE, TELEPORT, TOO_FAST, PARKED, OFF_SHIFT, OUTSIDE = (
    np.uint8(code) for code in range(len(VERDICTS))
)

BELIEVED = (OK, PARKED)
"""Verdicts of fixes that say where the bike was."""

USABLE = (*BELIEVED, TELEPORT, TOO_FAST)
"""Verdicts of fixes that make up runs."""

Times = NDArray[np.int64]
Metres = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that a fix and a path must keep to count."""

    max_accuracy_m: float = 50.0  # accuracy gate [m]; a fix that states none passes
    # Fastest that a bike rides [m/s]; 12.5 is 45 km/h, well over the 25 km/h of GB 17761.
    max_speed_mps: float = 12.5
    # A run ends at a longer silence [s]; the path is broken by a longer step [m].
    max_gap_s: float = 120.0
    max_gap_m: float = 500.0
    # A bike that stays within the radius [m] for the time [s] is parked.
    parked_radius_m: float = 15.0
    parked_after_s: float = 120.0
    standing_mps: float = 0.5  # a stated speed under this is standing still [m/s]

    @property
    def max_gap_ms(self) -> int:
        """The longest gap of a run [ms]."""
        return round(self.max_gap_s * 1000)

    @property
    def parked_after_ms(self) -> int:
        """The least length of a stay that is parking [ms]."""
        return round(self.parked_after_s * 1000)

    @property
    def before_ms(self) -> int:
        """No verdict or path piece depends on a fix further back [ms].

        A piece of path reaches back one gap to its first fix; that fix may be parked by a stay
        that began ``parked_after_s`` earlier, of fixes that are believed for neighbours up to
        one gap before them.
        """
        return 2 * self.max_gap_ms + self.parked_after_ms

    @property
    def after_ms(self) -> int:
        """No verdict or path piece depends on a fix further ahead [ms]."""
        return self.max_gap_ms + self.parked_after_ms


LEAP_AFTER = 4
"""A bike whose fixes are still near the one so many before them stands or creeps."""

LEAP_ROWS = 4
"""Fixes that are looked at together then, by their bounding box; a power of two."""

GATHER_SHARE = 3
"""When fewer than one of so many fixes are compared with their next ones, they are gathered."""


def gate(
    accuracy_m: NDArray[np.float32], inside: Mask, on_shift: Mask | None, limits: Limits
) -> NDArray[np.uint8]:
    """Verdicts of single fixes: ``ok`` for what is usable; columns of shape (n,).

    An accuracy of NaN passes. `inside` says whether the fix lies in the district's grid, `on_shift`
    whether the bike was on duty: None when bikes always are.
    """
    verdict = np.full(accuracy_m.size, OK)
    if on_shift is not None:
        verdict[~on_shift] = OFF_SHIFT
    verdict[~inside] = OUTSIDE
    verdict[accuracy_m > limits.max_accuracy_m] = INACCURATE
    return verdict


def run_starts(
    bike: NDArray[np.int32], at_ms: Times, day: NDArray[np.intp], limits: Limits
) -> Mask:
    """Mark the first fix of each run among usable fixes sorted by bike and time; shape (n,)."""
    starts = np.ones(at_ms.size, dtype=bool)
    starts[1:] = (
        (bike[1:] != bike[:-1]) | (day[1:] != day[:-1]) | (np.diff(at_ms) > limits.max_gap_ms)
    )
    return starts


def agreement(
    at_ms: Times, x_m: Metres, y_m: Metres, starts: Mask, limits: Limits
) -> tuple[NDArray[np.uint8], Times]:
    """``ok``, ``teleport`` or ``too_fast`` for usable fixes, by their neighbours in the run.

    With it comes from when on no further fix can take an ``ok`` back [ms].

    Columns have the shape (n,): times [ms] rise within a run, positions are on the plane [m], and
    `starts` is True where a run begins.

    A fix that agrees with a neighbour is believed. One that agrees with none is compared one
    fix further, unless its two neighbours agree with each other across it: that is how the
    good fix between two bad ones is told from the bad one between two good ones.
    """
    n = at_ms.size
    verdict = np.full(n, OK)
    following_ms = at_ms + limits.max_gap_ms
    if n < 2:
        return verdict, following_ms
    joined = ~starts[1:]
    reach_m = np.diff(at_ms) * (limits.max_speed_mps / 1000)
    agree = joined & (np.diff(x_m) ** 2 + np.diff(y_m) ** 2 <= reach_m**2)
    believed = np.zeros(n, dtype=bool)
    believed[1:] |= agree
    believed[:-1] |= agree
    has_left = ~starts
    has_right = np.zeros(n, dtype=bool)
    has_right[:-1] = joined
    believed |= ~(has_left | has_right)
    following_ms[:-1][joined] = at_ms[1:][joined]
    # One that does not agree with the fix before it waits for the next: it may be the wrong one.
    agreed_ms = np.where(np.append(False, agree), at_ms, following_ms)
    doubtful = np.flatnonzero(~believed)
    if doubtful.size:
        verdict[doubtful], waits = _second_look(doubtful, at_ms, x_m, y_m, starts, limits)
        agreed_ms[doubtful[waits]] = at_ms[doubtful[waits] + 2]
    return verdict, agreed_ms


def _second_look(
    rows: NDArray[np.intp], at_ms: Times, x_m: Metres, y_m: Metres, starts: Mask, limits: Limits
) -> tuple[NDArray[np.uint8], Mask]:
    """The verdict of fixes that agree with neither neighbour; few, so gathers are cheap.

    With it comes which of them only the second fix after makes believed.
    """
    run = np.cumsum(starts)

    def step(a: NDArray[np.intp], b: NDArray[np.intp]) -> tuple[Mask, Metres, Mask]:
        """Compare rows a and b: of one run or not, squared distance [m²], agreement."""
        n = run.size
        there = (a >= 0) & (b < n)
        a, b = np.clip(a, 0, n - 1), np.clip(b, 0, n - 1)
        there &= run[a] == run[b]
        squared = (x_m[b] - x_m[a]) ** 2 + (y_m[b] - y_m[a]) ** 2
        reach = (at_ms[b] - at_ms[a]) * (limits.max_speed_mps / 1000)
        return there, squared, there & (squared <= reach**2)

    def near(a: NDArray[np.intp], b: NDArray[np.intp]) -> Mask:
        """Tell which rows two apart agree, with no more than a run's gap between them."""
        *_, agree = step(a, b)
        n = run.size
        a, b = np.clip(a, 0, n - 1), np.clip(b, 0, n - 1)
        return agree & (at_ms[b] - at_ms[a] <= limits.max_gap_ms)

    left, to_left, _ = step(rows - 1, rows)
    right, to_right, _ = step(rows, rows + 1)
    _, across, skip_agrees = step(rows - 1, rows + 1)
    inner = left & right
    sandwiched = inner & skip_agrees
    before, after = near(rows - 2, rows), near(rows, rows + 2)
    believed = ~sandwiched & (before | after)
    along = inner & (across >= np.maximum(to_left, to_right))
    return np.where(believed, OK, np.where(along, TOO_FAST, TELEPORT)), believed & ~before


def parked(
    at_ms: Times,
    x_m: Metres,
    y_m: Metres,
    accuracy_m: NDArray[np.float32],
    agreed_ms: Times,
    run: NDArray[np.intp],
    run_end_ms: Times,
    limits: Limits,
) -> tuple[Mask, Times, NDArray[np.intp]]:
    """Which believed fixes belong to a stay of at least ``parked_after_s``, and when that is sure.

    A stay begins at fix i when every believed fix of the run up to ``parked_after_s`` later
    lies within max(``parked_radius_m``, accuracy of i) of it, and the run lasts that long. All
    those fixes are parked.

    Parameters
    ----------
    agreed_ms : ndarray of int64, shape (n,)
        From when on each fix is believed for good, see :func:`agreement`.
    run : ndarray of intp, shape (n,)
        Number of the run of each fix, not decreasing.
    run_end_ms : ndarray of int64, shape (n,)
        Time of the last usable fix of its run.

    Returns
    -------
    parked : ndarray of bool, shape (n,)
    moves_ms : ndarray of int64, shape (n,)
        From when on no further fix can make a fix parked that is not [ms]: since then the bike
        has left the radius of every stay that could have held it, or its run is over.
    held : ndarray of intp, shape (n,)
        The last fix that the stay from each fix holds, be it long enough or not.
    """
    radius = np.maximum(np.nan_to_num(accuracy_m, nan=0.0), limits.parked_radius_m).astype(
        np.float64
    )
    since_ms = run * (np.ptp(at_ms) + limits.parked_after_ms + 1 if run.size else 0) + at_ms
    in_time = np.searchsorted(since_ms, since_ms + limits.parked_after_ms, side="right") - 1
    held = _last_near(x_m, y_m, radius * radius, in_time)
    lasts = run_end_ms >= at_ms + limits.parked_after_ms
    stays = lasts & (held == in_time)
    change = np.zeros(run.size + 1, dtype=np.intp)
    change[:-1] = stays
    np.subtract.at(change, held[stays] + 1, 1)
    first = np.flatnonzero(~stays)
    last = held[first]
    following = np.minimum(last + 1, run.size - 1)
    left_ms = np.where(
        last == in_time[first],
        run_end_ms[first] + limits.max_gap_ms,
        np.maximum(at_ms, agreed_ms)[following],
    )
    moves_ms = np.maximum(at_ms, _highest(run.size, first, last, left_ms))
    return np.cumsum(change[:-1]) > 0, moves_ms, held


def _last_near(
    x_m: Metres, y_m: Metres, squared_radius: Metres, in_time: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The last row, of those from each row to `in_time`, before one out of its radius.

    All rows walk on together: a riding bike is soon out. Whole columns are compared, shifted. Where
    a bike stands or creeps, the next rows are taken at once when their bounding box is near; those
    whose box is not, and the few that are left, walk on by themselves.
    """
    n = in_time.size
    last = np.arange(n)
    within = in_time - last
    walks, alone = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    far, rows = 0, 1
    x_box, y_box = _boxes(x_m, rows), _boxes(y_m, rows)
    while np.count_nonzero(walks) > n // GATHER_SHARE:
        if far == LEAP_AFTER:
            rows = LEAP_ROWS
            x_box, y_box = _boxes(x_m, rows), _boxes(y_m, rows)
        here, there = slice(None, max(n - far - rows, 0)), slice(far + 1, n - rows + 1)
        dx, dy = _farthest(x_m[here], x_box, there), _farthest(y_m[here], y_box, there)
        near = within >= far + rows
        near[here] &= dx * dx + dy * dy <= squared_radius[here]
        if rows > 1:
            alone |= walks & ~near
        walks &= near
        far += rows
        last += walks * rows
    walking = np.flatnonzero(walks | alone)
    while walking.size:
        walking = walking[last[walking] < in_time[walking]]
        following = last[walking] + 1
        dx, dy = x_m[following] - x_m[walking], y_m[following] - y_m[walking]
        walking = walking[dx * dx + dy * dy <= squared_radius[walking]]
        last[walking] += 1
    return last


def _boxes(place_m: Metres, rows: int) -> tuple[Metres, Metres]:
    """The least and the most of so many rows from each row on, a power of two of them [m]."""
    low = high = place_m
    step = 1
    while step < rows:
        low = np.minimum(low[:-step], low[step:])
        high = np.maximum(high[:-step], high[step:])
        step *= 2
    return low, high


def _farthest(here_m: Metres, box: tuple[Metres, Metres], there: slice) -> Metres:
    """How far off the farther sides of boxes are, along one axis [m]."""
    low, high = box
    return np.maximum(high[there] - here_m, here_m - low[there])


def _highest(
    n: int, first: NDArray[np.intp], last: NDArray[np.intp], value: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The highest value of the stretches [first, last] that hold each of n rows; rise of `first`.

    A stretch is two overlapping ones whose length is a power of two, and each of these two halves.
    """
    highest = np.full(n, np.iinfo(np.int64).min)
    levels = np.frexp(last - first + 1)[1] - 1
    for level in range(int(levels.max(initial=0)), -1, -1):
        mine, rows = levels == level, 1 << level
        highest[first[mine]] = np.maximum(highest[first[mine]], value[mine])
        if level:
            np.maximum.at(highest, last[mine] + 1 - rows, value[mine])
            half = rows // 2
            lower = highest.copy()
            np.maximum(lower[half:], highest[:-half], out=lower[half:])
            highest = lower
    return highest


def standing(
    x_m: Metres,
    y_m: Metres,
    accuracy_m: NDArray[np.float32],
    speed_mps: NDArray[np.float32],
    run: NDArray[np.intp],
    run_took_ms: Times,
    limits: Limits,
) -> Mask:
    """Which believed fixes belong to a run too short to show a stay, in which the bike stands.

    All believed fixes of the run lie within max(``parked_radius_m``, accuracy of the first) of
    the first, and each states a speed under ``standing_mps``; NaN says nothing of standing. Columns
    have the shape (n,): `run` is the number of the run of each fix, not decreasing, `run_took_ms`
    the time from the first to the last usable fix of it [ms].
    """
    result = np.zeros(run.size, dtype=bool)
    short = np.flatnonzero(run_took_ms < limits.parked_after_ms)
    if not short.size:
        return result
    begins = np.append(True, run[short][1:] != run[short][:-1])
    first = short[begins][np.cumsum(begins) - 1]
    accuracy = np.nan_to_num(accuracy_m[first], nan=0.0).astype(np.float64)
    radius = np.maximum(accuracy, limits.parked_radius_m)
    squared = (x_m[short] - x_m[first]) ** 2 + (y_m[short] - y_m[first]) ** 2
    stands = (squared <= radius * radius) & (speed_mps[short] < limits.standing_mps)
    whole = np.logical_and.reduceat(stands, np.flatnonzero(begins))
    result[short] = whole[np.cumsum(begins) - 1]
    return result
