"""Routes about cells: their last visits as a list, and by age as one small image.

One picture of a few kilobytes stands for thousands of polygons, in the browser and on the
wire: a pixel a cell, a colour an age class. It is stretched linearly over the grid's box; in Web
Mercator that is off by less than a tenth of a cell over a district of 25 km.
"""

from __future__ import annotations

import io
import time
from typing import Annotated, NamedTuple

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from PIL import Image
from starlette.responses import Response

from dashboards.api import answers, paging
from dashboards.api.lists import AskedOnMaps
from dashboards.api.precision import POSITION
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.views import Views
from dashboards.api.zones import At, zone_index, zones_of
from dashboards.sources import Sources
from geofence.coverage import LastVisits
from geofence.zonemap import ZoneMap

PICTURE_S = 1.0
"""How long a picture of the cells is shared between those who ask for the present [s]."""


class PngAnswer(Response):
    """A picture."""

    media_type = "image/png"


class AgeClass(NamedTuple):
    """Cells visited at most `up_to_s` ago [s], drawn in `rgba`; None is any older visit."""

    up_to_s: int | None
    rgba: tuple[int, int, int, int]


AGE_CLASSES: tuple[AgeClass, ...] = (
    AgeClass(30 * 60, (10, 118, 200, 235)),
    AgeClass(2 * 3600, (10, 118, 200, 140)),
    AgeClass(8 * 3600, (10, 118, 200, 82)),
    AgeClass(24 * 3600, (10, 118, 200, 44)),
    AgeClass(None, (125, 135, 145, 50)),
)
"""Newest first. One hue that fades reads as age to every eye, on light and dark ground."""

MISSING: tuple[int, int, int, int] = (213, 94, 0, 150)
"""What was not visited: the vermilion of Okabe and Ito, which no eye takes for the blue of ages."""

_COLOURS = (*(c.rgba for c in AGE_CLASSES), MISSING)  # of the classes from 1 on
_LIMITS_MS = np.array([c.up_to_s * 1000 for c in AGE_CLASSES if c.up_to_s is not None])
_PALETTE = b"\0\0\0" + b"".join(bytes(rgba[:3]) for rgba in _COLOURS)
_ALPHA = b"\0" + bytes(rgba[3] for rgba in _COLOURS)


def age_class(last_visit_ms: NDArray[np.int64], now_ms: int) -> NDArray[np.uint8]:
    """Class of cells by their last visit [ms], shape (k,): 1 is the first of :data:`AGE_CLASSES`.

    0 is never, of both.
    """
    age_ms = np.maximum(now_ms - last_visit_ms, 0)
    found = np.searchsorted(_LIMITS_MS, age_ms, side="left") + 1
    return np.where(last_visit_ms > 0, found, 0).astype(np.uint8)


def draw(
    zones: ZoneMap,
    last: LastVisits,
    classes: NDArray[np.uint8],
    *,
    never: int = 0,
    zone: int | None = None,
) -> bytes:
    """Draw the whole grid as a PNG, north up; cells of no zone and of class 0 are transparent.

    `classes`, of shape (k,), are of the cells of `last`: those of :func:`age_class` or the last,
    :data:`MISSING`; `never` is that of all other cells. `zone` is the index of the only zone that
    is shown.
    """
    pixels = np.full(zones.grid.size, never, np.uint8)
    pixels[last.cell] = classes
    pixels[zones.cell_zone < 0 if zone is None else zones.cell_zone != zone] = 0
    pixels = pixels.reshape(zones.grid.rows, zones.grid.cols)[::-1]
    image = Image.frombytes("P", (zones.grid.cols, zones.grid.rows), pixels.tobytes())
    image.putpalette(_PALETTE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=_ALPHA, compress_level=6)
    return buffer.getvalue()


def add(api: APIRouter, sources: Sources, times: Times, views: Views) -> None:
    """Add the routes /cells and /cells.png."""
    routes = group(api, needs("viewer"), tags=["coverage"])
    picture: tuple[float, ZoneMap, bytes] | None = None

    @routes.get("/cells", response_model=answers.Cells)
    async def list_cells(
        asked: AskedOnMaps,
        zone_id: str | None = None,
        at: At = None,
        limit: Annotated[int, Query(ge=1, le=50_000)] = 10_000,
        cursor: str | None = None,
    ) -> Response:
        """Patrollable cells: last visit, whether a fix lay in the cell then, and the age."""
        after = paging.number(cursor)
        at_ms = times.read_or_none(at, name="at")
        zones = zones_of(sources, at_ms)
        owner = zones.cell_zone
        wanted = owner >= 0 if zone_id is None else owner == zone_index(zones, zone_id, "zone_id")
        known_ms = sources.now_ms() if at_ms is None else at_ms
        found = np.flatnonzero(wanted).data  # a page of what may be millions is read
        page, going_on = paging.page(found, int, limit=limit, after=after)
        answer: answers.Cells = {
            "at": times.write(known_ms),
            "grid": views.grid(),
            "cells": _cells(zones, np.array(page, np.intp), known_ms),
        }
        return asked.answer(answer, "cells", answers.Cell, going_on, square)

    def square(cell: answers.Cell) -> tuple[answers.Polygon, answers.Cell]:
        grid = sources.atlas.grid
        up = grid.cell_m / grid.metres_per_lat / 2
        right = grid.cell_m / grid.metres_per_lng / 2
        ring = [
            [round(cell["lng"] + x * right, POSITION), round(cell["lat"] + y * up, POSITION)]
            for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
        ]
        return {"type": "Polygon", "coordinates": [ring]}, cell

    def _cells(zones: ZoneMap, page: NDArray[np.intp], at_ms: int) -> list[answers.Cell]:
        ledger = sources.ledger().as_of(at_ms)
        rows, last = ledger.rows(), ledger.last_visits
        seen = np.unique(rows.cell[rows.observed & (rows.last_ms == last.of(rows.cell))])
        lat, lng = zones.grid.centre(page)
        columns = (page, zones.cell_zone[page], lat, lng, last.of(page), np.isin(page, seen))
        return [
            {
                "cell": cell,
                "zone_id": zones.zones[zone].zone_id,
                "lat": round(cell_lat, POSITION),
                "lng": round(cell_lng, POSITION),
                "last_visit": times.write_or_none(visit_ms),
                "seen": None if not visit_ms else "observed" if seen else "inferred",
                "age_s": max(at_ms - visit_ms, 0) / 1000 if visit_ms else None,
            }
            for cell, zone, cell_lat, cell_lng, visit_ms, seen in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]

    @routes.get("/cells.png", response_class=PngAnswer)
    async def draw_cells(
        at: At = None,
        zone_id: str | None = None,
        missing_since: str | None = None,
    ) -> Response:
        """The whole grid as an image, a pixel a cell, coloured by age.

        The box it covers is in the header `Grid-Box` (south, west, north, east in degrees) and
        in `grid` of /zones. Cells that were never visited, or are of no zone, are transparent.
        With `missing_since` it is the other way round: what is coloured is what is missing.
        """
        nonlocal picture
        at_ms = times.read_or_none(at, name="at")
        since_ms = times.read_or_none(missing_since, name="missing_since")
        zones = zones_of(sources, at_ms)
        shown = None if zone_id is None else zone_index(zones, zone_id, "zone_id")
        if at_ms is None and since_ms is None and shown is None:
            elapsed_s = time.monotonic()
            if picture is None or picture[1] is not zones or elapsed_s - picture[0] > PICTURE_S:
                last = sources.ledger().last_visits
                classes = age_class(last.at_ms, sources.now_ms())
                picture = elapsed_s, zones, draw(zones, last, classes)
            drawn = picture[2]
        else:
            known = sources.ledger()
            last = (known if at_ms is None else known.as_of(at_ms)).last_visits
            if since_ms is None:
                classes = age_class(last.at_ms, sources.now_ms() if at_ms is None else at_ms)
                drawn = draw(zones, last, classes, zone=shown)
            else:
                missing = len(_COLOURS)
                classes = np.where(last.at_ms < since_ms, missing, 0).astype(np.uint8)
                drawn = draw(zones, last, classes, never=missing, zone=shown)
        box = zones.grid
        edges = box.south_deg, box.west_deg, box.north_deg, box.east_deg
        return PngAnswer(drawn, headers={"Grid-Box": ",".join(f"{edge:.7f}" for edge in edges)})
