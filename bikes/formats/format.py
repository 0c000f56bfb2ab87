"""What a format is: a quick way and a careful way to read the same payloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bikes.errors import DecodeError
from bikes.telemetry import Telemetry

T = TypeVar("T")

QUICK_ERRORS = (ValueError, RecursionError)
"""What `Format.quick` raises; msgspec's and Unicode's errors are ValueErrors."""

Item = Telemetry | DecodeError
"""One item of a payload: accepted, or why not."""


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write telemetry.

    Both functions are pure and give the same items; they differ in what they do with a bad
    payload. A caller tries `quick` and asks `decode` only about what `quick` raised on.

    Attributes
    ----------
    name : str
        As configured.
    quick : callable of bytes
        One item, or a list of items, which may be empty. Raises any of
        :data:`QUICK_ERRORS` when something, anything, is wrong, and does not say what.
    decode : callable of bytes and int
        ``decode(payload, max_items)``: one item, or a list in which every item has the
        position it has in the payload and a bad one is a :class:`~bikes.errors.DecodeError`
        with its ``index``. A payload that carries no telemetry is an empty list. Raises
        DecodeError when the payload as a whole cannot be accepted (``not_json``,
        ``schema``, ``out_of_range``, ``too_many``), and nothing else.
    """

    name: str
    quick: Callable[[bytes], Telemetry | Sequence[Item]]
    decode: Callable[[bytes, int], Telemetry | Sequence[Item]]


def read_each(
    quick: Callable[[bytes], T], payloads: Sequence[bytes]
) -> tuple[list[T | None], list[int]]:
    """Read payloads with a function that raises :data:`QUICK_ERRORS`, at the speed of `map`.

    Returns
    -------
    found : list
        What each payload holds; None where `quick` raised.
    failed : list of int
        Positions of those.
    """
    found: list[T | None] = []
    failed: list[int] = []
    rest = iter(payloads)
    while len(found) < len(payloads):
        try:
            # What was read before an error stays in `found`, and `rest` is past the bad one.
            found.extend(map(quick, rest))
        except QUICK_ERRORS:
            failed.append(len(found))
            found.append(None)
    return found, failed
