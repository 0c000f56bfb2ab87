"""The tail of a bike's record: how much of it the next fixes are judged with.

Verdicts depend on a bounded stretch of time (docs/decisions/0002), and mostly on far less than the
bound: a riding bike leaves the radius in which it could park after a few fixes, and what is known
of the fixes before then is final. So a tail has three parts, by time:

    lead ──── first ──── settled ──── the newest
    │           │           └ these can still change: their verdicts and what hangs on them
    │           └ stays that begin here may reach as far as the path that ends in them
    └ two usable fixes, which the following ones are compared with

All this is said of further fixes from the *horizon* of the bike on; earlier ones are late.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geofence.quality import Limits, Mask, Times
from geofence.runs import Judgement


class Tails(NamedTuple):
    """What is needed of the records of some bikes, as columns of shape (b,); bikes rise."""

    bike: NDArray[np.int32]  # index into the roster
    # Earlier fixes are not needed; from here to `first_ms` they are neighbours only [ms].
    lead_ms: Times
    first_ms: Times
    # What hangs on earlier fixes is final, as far as further ones are not late [ms].
    settled_ms: Times


def tails(judgement: Judgement, horizon_ms: Times, limits: Limits) -> Tails:
    """The tails of all bikes of a judgement that reaches up to their newest fixes.

    It is of whole records or of tails, together with new fixes; `horizon_ms`, of shape (bikes,), is
    from when on further fixes of each bike may come [ms].

    A usable fix is final when two more are known after it: no later one is compared with it. A stay
    is over when a final fix has ended it, or its run. A run that has lasted for as long as a stay
    is not one of standing. Fixes before the first for which all this holds not are settled; by the
    limits those are, too, that no further fix can reach.
    """
    fixes, usable, run = judgement.fixes, judgement.usable, judgement.run
    begins = np.flatnonzero(np.diff(fixes.bike, prepend=-1))
    bikes = fixes.bike[begins]
    of = np.repeat(np.arange(bikes.size), np.diff(np.append(begins, len(fixes))))
    horizon_ms = horizon_ms[bikes]
    at_ms = fixes.timestamp_ms

    of_usable, usable_ms = of[usable], at_ms[usable]
    final = np.zeros(usable.size, dtype=bool)
    known = usable_ms[2:] < horizon_ms[of_usable[2:]]
    final[:-2] = known & (of_usable[2:] == of_usable[:-2])
    last_run = _last(np.full(bikes.size, -1), of_usable, final, run)
    believed = usable[judgement.believed]
    of_believed = of[believed]
    following = np.minimum(judgement.held + 1, max(believed.size - 1, 0))
    ended = final[judgement.believed][following] & (judgement.held + 1 < believed.size)
    ended &= of_believed[following] == of_believed
    ended |= run[judgement.believed] < last_run[of_believed]
    standing = judgement.short[run] & (run >= last_run[of_usable])

    settled_ms = _first(horizon_ms, of_usable, ~final | standing, usable_ms)
    settled_ms = _first(settled_ms, of_believed, ~ended, at_ms[believed])
    bound_ms = horizon_ms - limits.after_ms
    bounded = settled_ms < bound_ms
    settled_ms = np.maximum(settled_ms, bound_ms)

    from_ms = _last(
        settled_ms, of_believed, at_ms[believed] < settled_ms[of_believed], at_ms[believed]
    )
    reaches = at_ms[believed[judgement.held]] >= from_ms[of_believed]
    first_ms = _first(settled_ms, of_believed, reaches, at_ms[believed])
    run_first = np.flatnonzero(np.diff(run, prepend=-1))
    two_before = np.maximum(np.arange(usable.size) - 2, run_first[run])
    lead_ms = _first(first_ms, of_usable, usable_ms >= first_ms[of_usable], usable_ms[two_before])
    floor_ms = settled_ms - limits.before_ms
    bounded |= lead_ms < floor_ms
    return Tails(
        bikes,
        np.where(bounded, floor_ms, lead_ms),
        np.where(bounded, floor_ms, first_ms),
        settled_ms,
    )


def _first(least: Times, of: NDArray[np.intp], which: Mask, at_ms: Times) -> Times:
    """The first of rising times, among some, of each bike [ms]; no later than `least`."""
    return np.minimum(least, _last(least, of[::-1], which[::-1], at_ms[::-1]))


def _last(
    otherwise: NDArray[np.int64], of: NDArray[np.intp], which: Mask, values: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The value of the last row, among some, of each bike; `otherwise` where there is none."""
    found = otherwise.copy()
    found[of[which]] = values[which]  # of several the last stays
    return found
