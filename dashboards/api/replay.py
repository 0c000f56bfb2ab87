"""The route /tracks: where all bikes were over some hours, for replay."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from starlette.responses import Response

from bikes.roster import BikeKey
from dashboards.api import answers
from dashboards.api.answers import Answer
from dashboards.api.background import Background, Shared
from dashboards.api.problems import ProblemError
from dashboards.api.routes import needs
from dashboards.api.times import Times
from dashboards.sources import Sources
from geofence.frames import Frames, frames

MAX_SPAN_MS = 24 * 3_600_000
MAX_POINTS = 200_000
"""Frames of an answer, which is then at most some 10 MB."""

STEPS_S = (5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
AT_ONCE = 64
"""Bikes whose fixes are in memory at once."""

KEEP_S = 30.0
"""How long an answer is shared between those who ask for it [s]."""


def router(sources: Sources, times: Times, background: Background) -> APIRouter:
    """The route /tracks."""
    routes = APIRouter(tags=["bikes"], dependencies=[needs("viewer")])
    known = Shared[answers.Tracks](background, keep_s=KEEP_S, most=4)

    @routes.get("/tracks", response_class=Answer, response_model=answers.Tracks)
    async def tracks(
        from_: Annotated[str, Query(alias="from")],
        to: Annotated[str | None, Query(description="Not included; without it, now.")] = None,
        step_s: Annotated[
            int | None,
            Query(ge=1, le=3600, description="Without it, the finest that fits, from 5 s on."),
        ] = None,
    ) -> Response:
        """One believed fix per bike and step, the last in it; of at most 24 hours.

        Columns beside each other, one value a frame. A heading that the bike did not state is
        that of the way from the frame before. Shared for half a minute between all who ask.
        """
        now_ms = sources.now_ms()
        from_ms = times.read(from_, name="from")
        to_ms = now_ms if to is None else times.read(to, name="to")
        if not from_ms < to_ms:
            raise ProblemError(400, "empty_window", "from= must be before to=", where="from")
        if to_ms - from_ms > MAX_SPAN_MS:
            raise ProblemError(
                400, "span_too_long", "from= to to= is more than 24 hours", where="from"
            )
        keys = sorted(sources.roster.keys)
        fits_s = step_that_fits(len(keys), to_ms - from_ms)
        if step_s is None:
            step_s = fits_s
        elif points(len(keys), to_ms - from_ms, step_s) > MAX_POINTS:
            raise ProblemError(
                400,
                "too_many_points",
                f"{len(keys)} bikes in steps of {step_s} s may be more than {MAX_POINTS:,} "
                f"points; step_s={fits_s} fits, or ask for a shorter time",
                where="step_s",
                step_s=fits_s,
            )
        work = partial(tracks_of, sources, times, keys, from_ms, to_ms, step_s)
        return Answer(await known.get((from_ms, to_ms, step_s, len(keys)), work))

    return routes


def points(bikes: int, span_ms: int, step_s: int) -> int:
    """The most frames that there can be."""
    return bikes * -(-span_ms // (step_s * 1000))


def step_that_fits(bikes: int, span_ms: int) -> int:
    """The finest step [s] that gives no more points than are allowed; a round one if it can be."""
    for step_s in STEPS_S:
        if points(bikes, span_ms, step_s) <= MAX_POINTS:
            return step_s
    return -(-bikes * span_ms // (MAX_POINTS * 1000))


def tracks_of(
    sources: Sources, times: Times, keys: list[BikeKey], from_ms: int, to_ms: int, step_s: int
) -> answers.Tracks:
    """The frames of some bikes, a part of them at a time."""
    bikes: list[answers.BikeTrack] = []
    for start in range(0, len(keys), AT_ONCE):
        part = keys[start : start + AT_ONCE]
        judged = sources.judged(part, from_ms, to_ms)
        believed = judged.fixes.take(judged.believed)
        bikes += _columns(sources, part, frames(believed, from_ms=from_ms, step_ms=step_s * 1000))
    answer: answers.Tracks = {
        "from": times.write(from_ms),
        "to": times.write(to_ms),
        "step_s": step_s,
        "bikes": bikes,
    }
    return answer


def _columns(sources: Sources, keys: list[BikeKey], found: Frames) -> Iterator[answers.BikeTrack]:
    for key, bike in zip(keys, sources.roster.restore(keys), strict=True):
        low, high = np.searchsorted(found.bike, [bike, bike + 1])
        if low == high:
            continue
        track: dict[str, Any] = {
            "vendor": key.vendor,
            "bike_id": key.bike_id,
            "timestamps": found.timestamp_ms[low:high].tolist(),
            "lat": found.lat_deg[low:high].round(6).tolist(),
            "lng": found.lng_deg[low:high].round(6).tolist(),
        }
        heading = found.heading_deg[low:high].round()
        if not np.isnan(heading).all():
            track["heading"] = heading.tolist()
        yield track  # type: ignore[misc]
