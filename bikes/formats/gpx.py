"""GPX: the track points of a recorded track, read as the file streams in.

Positions are WGS-84 by definition. Only elements of GPX's own namespace count, and of extensions a
speed and a course where the point itself has none. A document type declaration is refused, because
entities are how an XML file attacks its reader and GPX has no use for one.
https://www.topografix.com/GPX/1/1/
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from xml.parsers import expat

from bikes.errors import DecodeError
from bikes.telemetry import UNUSABLE, Location, Stated, Telemetry

_NAMESPACE = "topografix.com/GPX/"
_POINT, _SEGMENT, _OTHERS = "trkpt", "trkseg", {"wpt", "rtept"}
_OF_POINT, _OF_EXTENSION = {"time", "ele", "speed", "course"}, {"speed", "course"}
_MAX_TEXT = 256
_MAX_DEPTH = 100


class GpxPoint(NamedTuple):
    """A track point, or why it is none, and the line on which it begins."""

    line: int
    item: Telemetry | DecodeError
    segment: int = 0
    """The number of its segment: between two of them nothing was recorded."""


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
        self._line = self._point_depth = 0
        self._segment = -1
        self._empty = True
        self._depth = 0
        self.broken = False
        """Whether nothing more can be read."""
        self.passed = 0
        """Waypoints and points of routes, which are no track."""
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
            if what == expat.errors.XML_ERROR_INVALID_TOKEN and not block.isascii():
                what += "; save it as UTF-8"
            self._break(DecodeError("schema", f"not XML: {what}, column {exc.offset + 1}"))
        except (ValueError, LookupError) as exc:
            self._break(DecodeError("schema", f"not XML: {exc}; save it as UTF-8"))
        else:
            if last and self._empty:
                self._break(DecodeError("schema", f"has no {_POINT} of GPX's namespace"))
        points, self._points = self._points, []
        return points

    def _break(self, error: DecodeError) -> None:
        self.broken = True
        self._points.append(GpxPoint(self._parser.CurrentLineNumber, error))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise DecodeError("schema", "nested too deeply")
        if self._attributes is not None:
            self._text = [] if self._wanted(name) else None
        elif _own(name) and _local(name) == _SEGMENT:
            self._segment += 1
        elif _own(name) and _local(name) in _OTHERS:
            self.passed += 1
        elif _own(name) and _local(name) == _POINT:
            self._attributes, self._texts = attributes, {}
            self._line, self._point_depth = self._parser.CurrentLineNumber, self._depth

    def _characters(self, text: str) -> None:
        if self._text is not None and len(self._text) < _MAX_TEXT:
            self._text.append(text[:_MAX_TEXT])

    def _end(self, name: str) -> None:
        inside = self._depth - self._point_depth
        self._depth -= 1
        if self._attributes is not None and not inside:
            item = _point(self._attributes, self._texts)
            self._points.append(GpxPoint(self._line, item, max(self._segment, 0)))
            self._attributes, self._empty = None, False
        elif self._text is not None:
            local, text = _local(name), "".join(self._text).strip()[:_MAX_TEXT]
            # What the point itself says counts before what an extension says.
            if inside == 1 or local not in self._texts:
                self._texts[local] = text
            self._text = None

    def _wanted(self, name: str) -> bool:
        """Whether an element within a point says something of it."""
        if self._depth == self._point_depth + 1:
            return _own(name) and _local(name) in _OF_POINT
        return _local(name) in _OF_EXTENSION

    def _refuse_doctype(self, *_: object) -> None:
        raise DecodeError("schema", "has a document type declaration; remove it")


def _own(name: str) -> bool:
    """Whether an element is of GPX; a file without namespaces is taken for GPX."""
    namespace, _, _ = name.rpartition(" ")
    return not namespace or _NAMESPACE in namespace


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
                altitude=_optional("ele", texts),
                speed=_optional("speed", texts),
                heading=_optional("course", texts),
            ),
        )
    except DecodeError as exc:
        return exc


def _optional(name: str, values: dict[str, str]) -> Stated:
    try:
        return _number(name, values) if name in values else None
    except DecodeError:
        return UNUSABLE


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
