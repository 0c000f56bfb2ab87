"""Columns of numbers as columns of text, quickly.

Making a text out of a number is what costs: a microsecond for a float. Texts of the values that
occur are made once each and gathered; numbers of many digits are put together from a front
that takes few values and four digits that a table holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DEGREE_DIGITS = 7
"""Decimals of a position; 1e-7 degrees are 1 cm."""

TAIL = 10_000
"""Numbers are parted before their last four digits."""

_TAILS = np.array(["", *(f"{number:04d}" for number in range(TAIL))], dtype=object)


Parts = tuple[list[str], list[str]]
"""A column of texts in two parts that follow each other."""


def time_texts(at_ms: NDArray[np.int64]) -> Parts:
    """Timestamps [ms]."""
    if at_ms.min(initial=TAIL) < TAIL:  # only numbers that have a front and no sign are parted
        return list(map(str, at_ms.tolist())), [""] * at_ms.size
    return _parted(at_ms, str)


def position_texts(name: str, degrees: NDArray[np.float64]) -> Parts:
    """A field of degrees with seven decimals, in two parts; empty where there is none."""
    known = np.isfinite(degrees)
    scaled = np.rint(np.where(known, degrees, 0.0) * 10**DEGREE_DIGITS).astype(np.int64)
    if (
        scaled.min(initial=0) < 0
    ):  # rare: the floor of a negative number is not what precedes its digits
        texts = [
            f",{name}={decimal_text(number, DEGREE_DIGITS)}" if there else ""
            for number, there in zip(scaled.tolist(), known.tolist(), strict=True)
        ]
        return texts, [""] * len(texts)
    digits = DEGREE_DIGITS - 4
    return _parted(scaled, lambda front: f",{name}={decimal_text(front, digits)}", known)


def _parted(
    numbers: NDArray[np.int64], text: Callable[[int], str], known: NDArray[np.bool_] | None = None
) -> Parts:
    """Texts of numbers: `text` of what precedes the last four digits, and these.

    Both are empty where a number is not `known`.
    """
    front, tail = np.divmod(numbers, TAIL)
    distinct, which = np.unique(front, return_inverse=True)
    fronts = as_array(map(text, distinct.tolist()))[which]
    tail += 1
    if known is not None:
        fronts[~known] = ""
        tail[~known] = 0
    return fronts.tolist(), _TAILS[tail].tolist()


def field_texts(name: str, values: NDArray[np.float32], digits: int) -> list[str]:
    """A field with so many decimals, an integer for none; empty where there is no value."""
    known = np.isfinite(values)
    # As float64, because the nearest float32 to 3.3 is 3.299999952.
    scaled = np.rint(np.where(known, values, 0).astype(np.float64) * 10**digits).astype(np.int64)
    scaled[~known] = _UNKNOWN
    distinct, which = np.unique(scaled, return_inverse=True)
    found: list[str] = as_array(
        "" if number == _UNKNOWN else _field(name, number, digits) for number in distinct.tolist()
    )[which].tolist()
    return found


_UNKNOWN = np.iinfo(np.int64).min


@lru_cache(maxsize=1 << 16)
def _field(name: str, number: int, digits: int) -> str:
    return f",{name}={decimal_text(number, digits)}"


def decimal_text(number: int, digits: int) -> str:
    """``number / 10**digits`` in full, an integer for no digits."""
    if digits == 0:
        return f"{number}i"
    whole, rest = divmod(abs(number), 10**digits)
    return f"{'-' if number < 0 else ''}{whole}.{rest:0{digits}d}"


def as_array(texts: Iterable[str]) -> NDArray[np.object_]:
    """Texts as an array to gather from."""
    return np.array([*texts], dtype=object)
