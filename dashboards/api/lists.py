"""A list as it is asked for: JSON, CSV for spreadsheets, or GeoJSON for maps; the same rows.

CSV begins with a byte order mark, without which Excel takes UTF-8 for another encoding, and a row
of names. A value that holds others is JSON. A text that a spreadsheet would take for a formula
gets an apostrophe before it: whoever can name a bike or write a remark must not run anything on
the machine of who opens the list.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Depends, Query, Request
from starlette.responses import Response

from dashboards.api.answers import Answer, GeoAnswer

Row = Mapping[str, Any]
Feature = Callable[[Any], tuple[Row | None, Row]]
"""Geometry, and properties, of a row."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a text begins that a spreadsheet takes for a formula."""


class CsvAnswer(Response):
    """A table (RFC 4180)."""

    media_type = "text/csv"


class Listed:
    """In which format a list is asked for."""

    def __init__(
        self,
        request: Request,
        format_: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    ) -> None:
        self._url = request.url
        self.format: str = format_

    def answer(
        self,
        content: Row,
        name: str,
        shape: type,
        going_on: object = None,
        feature: Feature | None = None,
    ) -> Response:
        """Answer with `content`, in which the rows, of a `shape` (a TypedDict), are under `name`.

        `going_on` is the cursor of the next page, if there is one: it is ``next_cursor``, and in
        the header Link.
        """
        headers = {}
        if going_on is not None:
            url = self._url.include_query_params(cursor=going_on)
            headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
            content = {**content, "next_cursor": str(going_on)}
        if self.format == "csv":
            headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
            return CsvAnswer(table(content[name], list(shape.__annotations__)), headers=headers)
        if self.format == "geojson" and feature is not None:
            found = {key: value for key, value in content.items() if key != name}
            found["type"] = "FeatureCollection"
            found["features"] = [
                {"type": "Feature", "geometry": geometry, "properties": properties}
                for geometry, properties in map(feature, content[name])
            ]
            return GeoAnswer(found, headers=headers)
        return Answer(content, headers=headers)


class ListedOnMaps(Listed):
    """As :class:`Listed`, of what has a place."""

    def __init__(
        self,
        request: Request,
        format_: Annotated[Literal["json", "csv", "geojson"], Query(alias="format")] = "json",
    ) -> None:
        super().__init__(request)
        self.format = format_


Asked = Annotated[Listed, Depends()]
AskedOnMaps = Annotated[ListedOnMaps, Depends()]


def table(rows: Iterable[Row], names: list[str]) -> str:
    """CSV of rows, with a column for each name."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return f"\ufeff{text.getvalue()}"


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return value if value is None or isinstance(value, int) else msgspec.json.encode(value).decode()
