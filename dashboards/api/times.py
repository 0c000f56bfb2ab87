"""Instants at the edge: RFC 3339 with the district's offset outside, milliseconds inside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

from dashboards.api.problems import ProblemError

# "+" in a query string means a space, so "…T08:00:00+08:00" arrives with one.
_PLUS_LOST = re.compile(r"^(.*[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) (\d{2}:?\d{2})$")
_EARLIEST_MS = 0
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Times:
    """Writes and reads instants in one time zone."""

    zone: ZoneInfo
    """The district's time zone: that of every time written, and of a time read that has no
    offset."""

    def write(self, at_ms: int) -> str:
        """RFC 3339 with offset; milliseconds are written only when there are any."""
        moment = datetime.fromtimestamp(at_ms / 1000, self.zone)
        return moment.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")

    def write_or_none(self, at_ms: int | None) -> str | None:
        """As :meth:`write`; None, and 0 which means never, stay None."""
        return self.write(at_ms) if at_ms else None

    def answer(self, shape: type[T], source: object, /, **known: object) -> T:
        """An answer of a shape (a TypedDict): each of its keys is `known` or read from `source`.

        It is the attribute of the key's name, the angle of that name in degrees (``_deg``), or
        the instant of that name in milliseconds (``_ms``, ``_at_ms``), which is written as a time.
        """
        found = {
            key: known[key] if key in known else self._value(source, key)
            for key in shape.__annotations__
        }
        return cast(T, found)

    def _value(self, source: object, key: str) -> object:
        for name in (key, f"{key}_deg"):
            if hasattr(source, name):
                return getattr(source, name)
        name = f"{key}_ms" if hasattr(source, f"{key}_ms") else f"{key}_at_ms"
        return self.write_or_none(getattr(source, name))

    def read(self, text: str, *, name: str) -> int:
        """Milliseconds since the epoch of a time in RFC 3339, a local time or a local date.

        Parameters
        ----------
        text : str
            ``2026-05-01T08:00:00+08:00``; without an offset it is a time of the district; a
            date alone is its first instant there; digits alone are milliseconds already.
        name : str
            The parameter it came in, for the error.

        ProblemError: 400 `invalid_time`: it is none of these, or not between 1970 and 9999.
        """
        text = text.strip()
        if re.fullmatch(r"\d{1,15}", text) and len(text) != len("20260501"):
            at_ms = int(text)
        else:
            try:
                moment = datetime.fromisoformat(_PLUS_LOST.sub(r"\1+\2", text))
                if moment.tzinfo is None:
                    moment = moment.replace(tzinfo=self.zone)
                at_ms = round(moment.timestamp() * 1000)
            except (ValueError, OverflowError):
                at_ms = -1
        if not _EARLIEST_MS <= at_ms <= _LATEST_MS:
            raise ProblemError(
                400,
                "invalid_time",
                f"{name}: {text!r} is not a time; write it like 2026-05-01T08:00:00+08:00",
                where=name,
            )
        return at_ms

    def read_or_none(self, text: str | None, *, name: str) -> int | None:
        """As :meth:`read`; None stays None."""
        return None if text is None else self.read(text, name=name)

    def read_day(self, text: str, *, name: str) -> date:
        """A local date, as in ``2026-05-01``. ProblemError: 400 `invalid_date`."""
        try:
            day = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=self.zone).date()
        except ValueError:
            day = date.min
        if day.year < 1970:
            raise ProblemError(
                400,
                "invalid_date",
                f"{name}: {text!r} is not a date; write it like 2026-05-01",
                where=name,
            )
        return day
