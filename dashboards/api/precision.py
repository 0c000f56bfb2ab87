"""To how many digits a value is known: what is behind them says nothing, and is not sent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("lat", "lng", "south", "west", "north", "east"), 7),  # [degrees]: 1 cm
    "ratio": 6,  # a cell of a million
    **dict.fromkeys(("share", "target"), 4),
    "s": 3,
    "m": 2,
    "mps": 2,
    "deg": 1,
    "percent": 1,
}
"""Digits after the point, by the last word of a name."""

POSITION: Final = DIGITS["lat"]


@cache
def _digits(name: str) -> int | None:
    return DIGITS.get(name.rpartition("_")[2])


def rounded(value: Any, name: str) -> Any:
    """A value of a name as it is sent; floats that it holds likewise, by their names in it."""
    if type(value) is float:
        digits = _digits(name)
        return value if digits is None else round(value, digits)
    if type(value) is dict:
        return {key: rounded(each, key) for key, each in value.items()}
    return value
