"""GPX: the track points of a recorded track, read as the file streams in.

Positions are WGS-84 by definition. A document type declaration is refused, because entities
are how an XML file attacks its reader and GPX has no use for one.
https://www.topografix.com/GPX/1/1/
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from xml.parsers import expat

from bikes.errors import DecodeError
from bikes.telemetry import Location, Telemetry

_POINT = "trkpt"
_TEXTS = frozenset({"time", "ele", "speed", "course"})
_MAX_TEXT = 256
_MAX_DEPTH = 100


class GpxPoint(NamedTuple):
    """A track point, or why it is none, and the line on which it begins."""

    line: int
    item: Telemetry | DecodeError


class GpxReader:
    """Takes a GPX file block by block and gives its track points.

    A point has ``lat``, ``lon``, ``time`` (required; UTC when it names no offset),
    ``ele`` [m] and, also as extensions, ``speed`` [m/s] and ``course`` [degrees].
    """

    def __init__(self) -> None:
        self._points: list[GpxPoint] = []
        self._attributes: dict[str, str] | None = None
        self._texts: dict[str, str] = {}
        self._text: list[str] | None = None
        self._line = 0
        self._depth = 0
        self.broken = False
        """Whether nothing more can be read."""
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def feed(self, block: bytes, *, last: bool = False) -> list[GpxPoint]:
        """The points that end in `block`, the last of the file when `last`.

        What is no XML, or not safe, ends the reading: the last of the points is then the
        error (``schema``), and `broken` is true.
        """
        if self.broken:
            return []
        try:
            self._parser.Parse(block, last)
        except DecodeError as exc:
            self._break(exc)
        except expat.ExpatError as exc:
            what = expat.errors.messages.get(exc.code, "malformed")
            self._break(DecodeError("schema", f"not XML: {what}, column {exc.offset + 1}"))
        except (ValueError, LookupError) as exc:
            self._break(DecodeError("schema", f"not XML: {exc}"))
        points, self._points = self._points, []
        return points

    def _break(self, error: DecodeError) -> None:
        self.broken = True
        self._points.append(GpxPoint(self._parser.CurrentLineNumber, error))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise DecodeError("schema", "nested too deeply")
        local = _local(name)
        if local == _POINT:
            self._attributes, self._texts = attributes, {}
            self._line = self._parser.CurrentLineNumber
        elif self._attributes is not None and local in _TEXTS:
            self._text = []

    def _characters(self, text: str) -> None:
        if self._text is not None and len(self._text) < _MAX_TEXT:
            self._text.append(text[:_MAX_TEXT])

    def _end(self, name: str) -> None:
        self._depth -= 1
        local = _local(name)
        if local == _POINT and self._attributes is not None:
            self._points.append(GpxPoint(self._line, _point(self._attributes, self._texts)))
            self._attributes = None
        elif self._text is not None and local in _TEXTS:
            self._texts[local] = "".join(self._text).strip()[:_MAX_TEXT]
            self._text = None

    def _refuse_doctype(self, *_: object) -> None:
        raise DecodeError("schema", "has a document type declaration; remove it")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _point(attributes: dict[str, str], texts: dict[str, str]) -> Telemetry | DecodeError:
    try:
        if "time" not in texts:
            raise DecodeError("schema", "time: required, but missing")
        return Telemetry(
            timestamp=_time_ms(texts["time"]),
            location=Location(
                lat=_number("lat", attributes),
                lng=_number("lon", attributes),
                altitude=_number("ele", texts) if "ele" in texts else None,
                speed=_number("speed", texts) if "speed" in texts else None,
                heading=_number("course", texts) if "course" in texts else None,
            ),
        )
    except DecodeError as exc:
        return exc


def _number(name: str, values: dict[str, str]) -> float:
    try:
        value = float(values[name])
    except KeyError as exc:
        raise DecodeError("schema", f"{name}: required, but missing") from exc
    except ValueError as exc:
        raise DecodeError(
            "schema", f"{name}: expected a number, got {values[name][:_MAX_TEXT]!r}"
        ) from exc
    if value - value != 0:
        raise DecodeError(
            "out_of_range", f"{name}: {values[name][:_MAX_TEXT]} is not a finite number"
        )
    return value


def _time_ms(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        since = at - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError) as exc:
        raise DecodeError("schema", f"time: expected a date and time, got {text!r}") from exc
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
