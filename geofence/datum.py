"""The three datums of China: WGS-84 (GNSS), GCJ-02 (Chinese phones and cars), BD-09 (Baidu).

Everything inside works in WGS-84. Which datum a vendor sends is configuration, because in
Chengyang a wrong one moves a bike by 415 to 485 m, four cells, without any other sign.

GCJ-02 displaces WGS-84 by a smooth function of the position; BD-09 displaces GCJ-02 again.
Only the forward displacements are published. The inverses here are fixed-point iterations
`w <- g - (forward(w) - w)` with a fixed number of steps, so that a result is a function of
its position alone.

Results do not depend on how positions were split into arrays, bit for bit: every sine is
taken over contiguous memory (numpy may use another kernel for strided input), and over
arguments inside the box only, so that an odd neighbour cannot choose the kernel.

Outside a box around China (`CHINA`) the three datums are the same, and every function
returns its input.

References
----------
The displacement is not an official publication. Formula, constants (Krasovsky 1940
ellipsoid), box and check values: https://github.com/googollee/eviltransform. Background:
https://en.wikipedia.org/wiki/Restrictions_on_geographic_data_in_China
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Datum = Literal["wgs84", "gcj02", "bd09"]
"""The datum that positions of a vendor refer to."""

DATUMS: tuple[Datum, ...] = get_args(Datum)

Position = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Latitude and longitude [degrees], in this order."""


class Box(NamedTuple):
    """A box of positions [degrees]; its edges belong to it."""

    south_deg: float
    west_deg: float
    north_deg: float
    east_deg: float

    def holds(self, lat: NDArray[np.float64], lng: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which positions, of shape (n,), lie in the box [degrees]; NaN does not."""
        inside: NDArray[np.bool_] = (lat >= self.south_deg) & (lat <= self.north_deg)
        return inside & (lng >= self.west_deg) & (lng <= self.east_deg)


CHINA = Box(0.8293, 72.004, 55.8271, 137.8347)
"""The box in which GCJ-02 and BD-09 differ from WGS-84: that of the published implementations.

It holds parts of other countries too; they use WGS-84, and so should their vendors.
"""

_SEMI_MAJOR_M = 6_378_245.0
_ECCENTRICITY_SQUARED = 0.006_693_421_622_965_943_23
_BD_WAVE = math.pi * 3000.0 / 180.0
_BD_LAT_DEG, _BD_LNG_DEG = 0.006, 0.0065

_GCJ_STEPS = 3
"""A step divides the error by over 150: 600 m shrink to 0.04 mm in Chengyang."""
_BD_STEPS = 3
"""A step divides the error by over 50, and the constant shift leaves 40 m of it."""


def wgs84_to_gcj02(lat_deg: ArrayLike, lng_deg: ArrayLike) -> Position:
    """Displace WGS-84 positions to GCJ-02.

    Parameters
    ----------
    lat_deg, lng_deg : array_like of float, any one shape
        Latitude and longitude [degrees]. Positions outside `CHINA`, and those of which a
        coordinate is NaN, are returned as they are.

    Returns
    -------
    lat_deg, lng_deg : ndarray of float64
        New arrays of the same shape [degrees].

    Raises
    ------
    ValueError
        The two have different shapes.
    """
    return _inside_china(lat_deg, lng_deg, _to_gcj)


def gcj02_to_wgs84(lat_deg: ArrayLike, lng_deg: ArrayLike) -> Position:
    """Undo `wgs84_to_gcj02`; same parameters, results and errors.

    It is exact to 0.04 mm in Chengyang and to 0.4 mm anywhere in `CHINA`.

    Whether a position lies in `CHINA` is judged by its GCJ-02 coordinates, so the two are
    not inverse within a kilometre of the edge of that box, which is not in China.
    """
    return _inside_china(lat_deg, lng_deg, _from_gcj)


def wgs84_to_bd09(lat_deg: ArrayLike, lng_deg: ArrayLike) -> Position:
    """Displace WGS-84 positions to BD-09; same parameters, results and errors."""
    return _inside_china(lat_deg, lng_deg, lambda lat, lng: _to_bd(*_to_gcj(lat, lng)))


def bd09_to_wgs84(lat_deg: ArrayLike, lng_deg: ArrayLike) -> Position:
    """Positions of BD-09 in WGS-84, as exactly as `gcj02_to_wgs84`; same parameters and errors.

    The usual one-step formula is decimetres off; this one iterates it.
    """
    return _inside_china(lat_deg, lng_deg, lambda lat, lng: _from_gcj(*_from_bd(lat, lng)))


def to_wgs84(lat_deg: ArrayLike, lng_deg: ArrayLike, datum: Datum) -> Position:
    """Positions of any datum in WGS-84.

    Parameters
    ----------
    lat_deg, lng_deg : array_like of float, any one shape
        Latitude and longitude [degrees]; see `wgs84_to_gcj02` for NaN and the edge.
    datum : {"wgs84", "gcj02", "bd09"}
        What they refer to. "wgs84" returns float64 input itself, not a copy.

    Raises
    ------
    ValueError
        The shapes differ, or the datum is none of these.
    """
    if datum == "gcj02":
        return gcj02_to_wgs84(lat_deg, lng_deg)
    if datum == "bd09":
        return bd09_to_wgs84(lat_deg, lng_deg)
    if datum == "wgs84":
        return _pair(lat_deg, lng_deg)
    raise ValueError(f"no datum {datum!r}; it is one of {', '.join(DATUMS)}")


def from_wgs84(lat_deg: ArrayLike, lng_deg: ArrayLike, datum: Datum) -> Position:
    """Undo `to_wgs84`; same parameters, results and errors."""
    if datum == "gcj02":
        return wgs84_to_gcj02(lat_deg, lng_deg)
    if datum == "bd09":
        return wgs84_to_bd09(lat_deg, lng_deg)
    return to_wgs84(lat_deg, lng_deg, datum)  # the same, or no datum


def _pair(lat_deg: ArrayLike, lng_deg: ArrayLike) -> Position:
    lat = np.asarray(lat_deg, dtype=np.float64)
    lng = np.asarray(lng_deg, dtype=np.float64)
    if lat.shape != lng.shape:
        raise ValueError(f"{lat.shape} latitudes and {lng.shape} longitudes are not pairs")
    return lat, lng


def _inside_china(
    lat_deg: ArrayLike,
    lng_deg: ArrayLike,
    displace: Callable[[NDArray[np.float64], NDArray[np.float64]], Position],
) -> Position:
    """`displace` the positions inside the box, as contiguous arrays; copy the others."""
    lat, lng = _pair(lat_deg, lng_deg)
    inside = CHINA.holds(lat, lng)
    # Indexing by a mask copies, so that `displace` sees one contiguous dimension.
    moved_lat, moved_lng = displace(lat[inside], lng[inside])
    out_lat, out_lng = lat.copy(), lng.copy()
    out_lat[inside] = moved_lat
    out_lng[inside] = moved_lng
    return out_lat, out_lng


def _to_gcj(lat: NDArray[np.float64], lng: NDArray[np.float64]) -> Position:
    x, y = lng - 105.0, lat - 35.0
    x_pi, y_pi = x * np.pi, y * np.pi
    root = np.sqrt(np.abs(x))
    ripple = 20.0 * (np.sin(6.0 * x_pi) + np.sin(2.0 * x_pi))
    north = ripple + 20.0 * np.sin(y_pi) + 40.0 * np.sin(y_pi / 3.0)
    north += 160.0 * np.sin(y_pi / 12.0) + 320.0 * np.sin(y_pi / 30.0)
    north *= 2.0 / 3.0
    north += -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    east = ripple + 20.0 * np.sin(x_pi) + 40.0 * np.sin(x_pi / 3.0)
    east += 150.0 * np.sin(x_pi / 12.0) + 300.0 * np.sin(x_pi / 30.0)
    east *= 2.0 / 3.0
    east += 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    # From metres to degrees, by the radii of curvature of the ellipsoid.
    phi = np.radians(lat)
    sine = np.sin(phi)
    squeeze = 1.0 - _ECCENTRICITY_SQUARED * sine * sine
    prime_vertical_m = _SEMI_MAJOR_M / np.sqrt(squeeze)
    meridian_m = prime_vertical_m * (1.0 - _ECCENTRICITY_SQUARED) / squeeze
    return (
        lat + np.degrees(north / meridian_m),
        lng + np.degrees(east / (prime_vertical_m * np.cos(phi))),
    )


def _from_gcj(lat: NDArray[np.float64], lng: NDArray[np.float64]) -> Position:
    return _solve(_to_gcj, lat, lng, lat, lng, _GCJ_STEPS)


def _to_bd(lat: NDArray[np.float64], lng: NDArray[np.float64]) -> Position:
    # Published in polar form, r <- r + 2e-5 sin(..), angle <- angle + 3e-6 cos(..); this is
    # the same rotation and stretch without the arc tangent.
    radius = np.sqrt(lng * lng + lat * lat)
    stretch = 1.0 + 2e-5 * np.sin(lat * _BD_WAVE) / radius
    turn = 3e-6 * np.cos(lng * _BD_WAVE)
    sine, cosine = np.sin(turn), np.cos(turn)
    return (
        stretch * (lat * cosine + lng * sine) + _BD_LAT_DEG,
        stretch * (lng * cosine - lat * sine) + _BD_LNG_DEG,
    )


def _from_bd(lat: NDArray[np.float64], lng: NDArray[np.float64]) -> Position:
    return _solve(_to_bd, lat, lng, lat - _BD_LAT_DEG, lng - _BD_LNG_DEG, _BD_STEPS)


def _solve(
    forward: Callable[[NDArray[np.float64], NDArray[np.float64]], Position],
    lat: NDArray[np.float64],
    lng: NDArray[np.float64],
    guess_lat: NDArray[np.float64],
    guess_lng: NDArray[np.float64],
    steps: int,
) -> Position:
    for _ in range(steps):
        there_lat, there_lng = forward(guess_lat, guess_lng)
        guess_lat = guess_lat + (lat - there_lat)
        guess_lng = guess_lng + (lng - there_lng)
    return guess_lat, guess_lng
