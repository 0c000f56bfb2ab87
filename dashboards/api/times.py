"""Instants at the edge: RFC 3339 with the district's offset outside, milliseconds inside."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from dashboards.api.precision import rounded
from dashboards.api.problems import ProblemError
from words.times import bounded_ms, held_ms

# "+" in a query string means a space, so "…T08:00:00+08:00" arrives with one.
_PLUS_LOST = re.compile(r"^(.*[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) (\d{2}:?\d{2})$")

T = TypeVar("T")

_PARTS: dict[tuple[type, type, frozenset[str]], list[tuple[str, str | None, bool]]] = {}


def _parts(shape: type, source: object, known: Iterable[str]) -> list[tuple[str, str | None, bool]]:
    """Key, attribute (None for what is `known`), and whether it is an instant, of each value.

    They are the same for all sources of a type, and looked up once: a thousand zones are written
    at a time.
    """
    kind = shape, type(source), frozenset(known)
    if kind not in _PARTS:
        _PARTS[kind] = [
            (key, None, False) if key in kind[2] else (key, *_attribute(source, key))
            for key in shape.__annotations__
        ]
    return _PARTS[kind]


def _attribute(source: object, key: str) -> tuple[str, bool]:
    for name in (key, f"{key}_deg"):
        if hasattr(source, name):
            return name, False
    return f"{key}_ms" if hasattr(source, f"{key}_ms") else f"{key}_at_ms", True


@lru_cache(maxsize=4096)
def _written(at_ms: int, zone: ZoneInfo) -> str:
    moment = datetime.fromtimestamp(held_ms(at_ms) / 1000, zone)
    return moment.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")


@dataclass(frozen=True, slots=True)
class Times:
    """Writes and reads instants in one time zone."""

    zone: ZoneInfo
    """The district's time zone: that of every time written, and of a time read that has no
    offset."""

    def write(self, at_ms: int) -> str:
        """RFC 3339 with offset; milliseconds are written only when there are any.

        One out of the bounds of instants, which only a wrong clock or a damaged file can have left
        behind, is written as the nearest that there is, so that no row takes a list away.
        """
        return _written(at_ms, self.zone)

    def write_or_none(self, at_ms: int | None) -> str | None:
        """As :meth:`write`; None, and 0 which means never, stay None."""
        return self.write(at_ms) if at_ms else None

    def answer(self, shape: type[T], source: object, /, **known: object) -> T:
        """An answer of a shape (a TypedDict): each of its keys is `known` or read from `source`.

        It is the attribute of the key's name, the angle of that name in degrees (``_deg``), or
        the instant of that name in milliseconds (``_ms``, ``_at_ms``), which is written as a time.
        Floats are rounded.
        """
        found: dict[str, object] = {}
        for key, name, is_time in _parts(shape, source, known):
            value: Any = known[key] if name is None else getattr(source, name)
            found[key] = self.write_or_none(value) if is_time else rounded(value, key)
        return cast(T, found)

    def read(self, text: str, *, name: str) -> int:
        """Milliseconds since the epoch of a time in RFC 3339, a local time or a local date.

        Without an offset it is a time of the district; a date alone is its first instant there;
        digits alone are milliseconds already. `name` is the parameter it came in, for the error.

        ProblemError: 400 `invalid_time`: it is none of these, or not between 1970 and 2100.
        """
        text = text.strip()
        try:
            if re.fullmatch(r"\d{1,15}", text, re.ASCII) and len(text) != len("20260501"):
                return bounded_ms(int(text))
            return bounded_ms(datetime.fromisoformat(_PLUS_LOST.sub(r"\1+\2", text)), self.zone)
        except ValueError:
            raise ProblemError(
                400,
                "invalid_time",
                f"{name}: {text!r:.80} is not a time between the years 1970 and 2100; write it "
                "like 2026-05-01T08:00:00+08:00",
                where=name,
            ) from None

    def read_or_none(self, text: str | None, *, name: str) -> int | None:
        """As :meth:`read`; None stays None."""
        return None if text is None else self.read(text, name=name)

    def read_day(self, text: str, *, name: str) -> date:
        """A local date, as in ``2026-05-01``. ProblemError: 400 `invalid_date`."""
        try:
            moment = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=self.zone)
            bounded_ms(moment)
        except ValueError:
            raise ProblemError(
                400,
                "invalid_date",
                f"{name}: {text!r:.80} is not a date between the years 1970 and 2100; write it "
                "like 2026-05-01",
                where=name,
            ) from None
        return moment.date()
