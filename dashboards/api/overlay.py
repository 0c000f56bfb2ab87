"""The cells by age as one small image: a pixel a cell, a colour an age class.

One picture of a few kilobytes stands for thousands of polygons, in the browser and on the
wire. It is stretched linearly over the grid's box; in Web Mercator that is off by less than a
tenth of a cell over a district of 25 km.
"""

from __future__ import annotations

import io
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geofence.zonemap import ZoneMap


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

_MISSING_CLASS = len(AGE_CLASSES) + 1
_COLOURS = (*(c.rgba for c in AGE_CLASSES), MISSING)
_LIMITS_MS = np.array([c.up_to_s * 1000 for c in AGE_CLASSES if c.up_to_s is not None])
_PALETTE = b"\0\0\0" + b"".join(bytes(rgba[:3]) for rgba in _COLOURS)
_ALPHA = b"\0" + bytes(rgba[3] for rgba in _COLOURS)


class Picture(NamedTuple):
    """An encoded image and the entity tag of its content."""

    png: bytes
    etag: str


def age_class(last_visit_ms: NDArray[np.int64], now_ms: int) -> NDArray[np.uint8]:
    """Class of each cell: 1 is the first of :data:`AGE_CLASSES`; 0 was never visited."""
    age_ms = np.maximum(now_ms - last_visit_ms, 0)
    found = np.searchsorted(_LIMITS_MS, age_ms, side="left") + 1
    return np.where(last_visit_ms > 0, found, 0).astype(np.uint8)


def draw(
    zones: ZoneMap, last_visit_ms: NDArray[np.int64], now_ms: int, *, zone: int | None = None
) -> Picture:
    """The whole grid, north up; cells of no zone and never visited ones are transparent.

    Parameters
    ----------
    zones : ZoneMap
        Gives the grid and which cells count.
    last_visit_ms : ndarray of int64, shape (grid.size,)
        0 for never [ms].
    now_ms : int
        The instant ages are measured at [ms].
    zone : int, optional
        Index of the only zone that is shown.
    """
    return _picture(zones, age_class(last_visit_ms, now_ms), zone)


def draw_missing(
    zones: ZoneMap, last_visit_ms: NDArray[np.int64], since_ms: int, *, zone: int | None = None
) -> Picture:
    """As :func:`draw`, but of the cells that were not visited at or after an instant."""
    missing = last_visit_ms < since_ms
    return _picture(zones, np.where(missing, _MISSING_CLASS, 0).astype(np.uint8), zone)


def _picture(zones: ZoneMap, classes: NDArray[np.uint8], zone: int | None) -> Picture:
    shown = zones.cell_zone >= 0 if zone is None else zones.cell_zone == zone
    classes = np.where(shown, classes, 0).astype(np.uint8)
    pixels = classes.reshape(zones.grid.rows, zones.grid.cols)[::-1]
    image = Image.frombytes("P", (zones.grid.cols, zones.grid.rows), pixels.tobytes())
    image.putpalette(_PALETTE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=_ALPHA, compress_level=6)
    return Picture(buffer.getvalue(), f'"{zlib.crc32(classes.tobytes()):08x}"')
