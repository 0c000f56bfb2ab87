"""Opening a dashboard at noon of the known day, and reading its panels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dashboards.grafana.board import Name
from dashboards.grafana.build import BOARDS, build
from dashboards.grafana.edition import Edition
from tests.dashboards.grafana.day import UNTIL, ms
from tests.dashboards.grafana.grafana import ZONE, Frame, Range, Viewer, at, reduced
from tests.influx_servers import Influx1

SHOWN = {
    board: json.loads(data)
    for board, data in zip(BOARDS, build(Edition("en")).values(), strict=True)
}


def look(store: Influx1, board: Name, **chosen: list[str]) -> Viewer:
    """Somebody who opens a dashboard at noon."""
    shown = SHOWN[board]
    since = at(shown["time"]["from"], UNTIL)
    return Viewer(store, shown, Range(since, UNTIL), chosen)


def figures(viewer: Viewer, title: str) -> dict[str, Any]:
    """What a panel of figures says."""
    panel = viewer.panel(title)
    return reduced(viewer.sees(panel), panel)


def table(viewer: Viewer, title: str) -> list[dict[str, Any]]:
    """The rows of a panel that has one table, or of none."""
    found = viewer.sees(viewer.panel(title))
    assert len(found) <= 1
    return [
        dict(zip(frame, row, strict=True))
        for frame in found
        for row in zip(*frame.values(), strict=True)
    ]


def series(viewer: Viewer, title: str) -> dict[str, dict[str, Any]]:
    """What each series of a panel says, by name and time of day, where it says anything."""
    return {name: told for frame in viewer.sees(viewer.panel(title)) for name, told in said(frame)}


def said(frame: Frame) -> Iterator[tuple[str, dict[str, Any]]]:
    """Values of each series by time of day."""
    for name, values in frame.items():
        if name != "Time":
            told = zip(frame["Time"], values, strict=True)
            yield name, {clock(time): value for time, value in told if value is not None}


def clock(time_ms: int) -> str:
    """Time of day in the district, after the day when it is not that Monday."""
    moment = datetime.fromtimestamp(time_ms / 1000, ZONE)
    time = moment.strftime("%H:%M:%S").removesuffix(":00")
    return time if moment.date() == UNTIL.date() else moment.strftime(f"%m-%d {time}")


def each(first: str, last: str, minutes: float, value: Any) -> dict[str, Any]:
    """The same value at times of day from `first` to `last`."""
    count = round((ms(last) - ms(first)) / 60_000 / minutes)
    return {clock(ms(first) + round(step * minutes * 60_000)): value for step in range(count + 1)}


def changed(told: dict[str, Any]) -> dict[str, Any]:
    """Only the times at which a value differs from the one before."""
    found: dict[str, Any] = {}
    before = object()
    for time, value in told.items():
        if value != before:
            found[time] = value
        before = value
    return found
