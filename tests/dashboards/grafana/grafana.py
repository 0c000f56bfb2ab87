"""What Grafana 11.6 does with a dashboard between its JSON and the picture, as far as ours need it.

Variables and macros are filled in, InfluxDB's answer becomes frames, and transformations are
applied to them. Each function names the part of Grafana that it stands for.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from tests.influx_servers import Influx1

ZONE = ZoneInfo("Asia/Shanghai")
ALL = "$__all"

Frame = dict[str, list[Any]]
"""Columns by name; all of one length."""


@dataclass(frozen=True)
class Range:
    """From when to when, aware."""

    since: datetime
    until: datetime

    @property
    def ms(self) -> tuple[int, int]:
        """Both, in milliseconds."""
        return tuple(int(at.timestamp() * 1000) for at in (self.since, self.until))  # type: ignore[return-value]


def at(expression: str, now: datetime) -> datetime:
    """`dateMath.parse`: now, now-6h, now-6d/d, now/M."""
    found = re.fullmatch(r"now(?:-(\d+)([smhdwM]))?(?:/([dM]))?", expression)
    assert found, expression
    count, unit, floor = found.groups()
    names = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    if count:
        now -= timedelta(**{names[unit]: int(count)})
    if floor:
        now = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return now.replace(day=1) if floor == "M" else now


# `rangeUtil.roundInterval`, up to a day [ms]: below the first, the second.
_ROUNDED = [
    (10, 1), (15, 10), (35, 20), (75, 50), (150, 100), (350, 200), (750, 500), (1_500, 1_000),
    (3_500, 2_000), (7_500, 5_000), (12_500, 10_000), (17_500, 15_000), (25_000, 20_000),
    (45_000, 30_000), (90_000, 60_000), (210_000, 120_000), (450_000, 300_000),
    (750_000, 600_000), (1_050_000, 900_000), (1_500_000, 1_200_000), (2_700_000, 1_800_000),
    (5_400_000, 3_600_000), (9_000_000, 7_200_000), (16_200_000, 10_800_000),
    (32_400_000, 21_600_000), (86_400_000, 43_200_000), (604_800_000, 86_400_000),
]  # fmt: skip


def interval_ms(span: Range, points: int, least: str) -> int:
    """`rangeUtil.calculateInterval` [ms]."""
    since, until = span.ms
    wanted = (until - since) / points
    found = next(rounded for below, rounded in _ROUNDED if wanted < below)
    return max(found, duration_ms(least))


def duration_ms(text: str) -> int:
    """Milliseconds of 30s, 2m, 1h, 1d."""
    units = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    return int(text[:-1]) * units[text[-1]]


def interval_text(ms: int) -> str:
    """`gtime.FormatInterval`."""
    for name, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if ms >= size:
            return f"{ms // size}{name}"
    return f"{ms}ms"


def filled_in(text: str, span: Range, step_ms: int, chosen: Mapping[str, Sequence[str]]) -> str:
    """`templateSrv.replace` in the browser, then `Query.Build` on the server.

    Parameters
    ----------
    text : str
        The query of the panel.
    span, step_ms
        Time range, and `$__interval` [ms].
    chosen : mapping
        Values of variables; `ALL` alone stands for ``.*``, their custom value for all.
    """
    since, until = span.ms

    def regex(found: re.Match[str]) -> str:
        values = chosen[found.group(1)]
        if list(values) == [ALL]:
            return ".*"
        escaped = [re.sub(r"[\\^$*+?.()|[\]{}/]", r"\\\g<0>", value) for value in values]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    text = re.sub(r"\$\{(\w+):regex\}", regex, text)
    text = text.replace("${__from}", str(since)).replace("${__to}", str(until))
    text = text.replace("$timeFilter", f"time >= {since}ms and time <= {until}ms")
    text = text.replace("$__interval", interval_text(step_ms))
    assert "$" not in re.sub(r"\$/", "", text), f"not filled in: {text}"
    return text


def frames(series: list[dict[str, Any]], target: Mapping[str, Any]) -> list[Frame]:
    """`ResponseParse`: one frame a series and column, or one table of all."""
    if not series:
        return []
    if target["resultFormat"] == "table":
        table: Frame = {}
        columns = series[0]["columns"]
        assert columns[0] == "time"
        names = ["Time", *series[0].get("tags", {}), *columns[1:]]
        assert len(set(names)) == len(names), f"two columns of one name: {names}"
        for item in series:
            # Another series may name its tags in another order, as InfluxDB 3 does.
            tags = item.get("tags", {})
            for row in item["values"]:
                values = dict(zip(item["columns"], row, strict=True)) | tags | {"Time": row[0]}
                for name in names:
                    table.setdefault(name, []).append(values[name])
        return [table]
    return [
        {"Time": [row[0] for row in item["values"]], _name(item, column, target): [
            row[place] for row in item["values"]
        ]}
        for item in series
        for place, column in enumerate(item["columns"])
        if column != "time"
    ]  # fmt: skip


def _name(item: Mapping[str, Any], column: str, target: Mapping[str, Any]) -> str:
    """`FormatFrameName`."""
    tags = item.get("tags", {})
    if not target.get("alias"):
        return f"{item['name']}.{column}"
    return re.sub(
        r"\$(\w+)",
        lambda found: column if found[1] == "col" else tags[found[1].removeprefix("tag_")],
        target["alias"],
    )


# -- transformations ------------------------------------------------------------------------


def transformed(found: list[Frame], steps: Sequence[Mapping[str, Any]]) -> list[Frame]:
    """The frames after a panel's transformations."""
    for step in steps:
        found = _TRANSFORMERS[step["id"]](found, step["options"])
    return found


def _organize(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    if len(found) != 1:
        return found
    (frame,) = found
    order: Mapping[str, int] = options["indexByName"]
    names = sorted(frame, key=lambda name: order.get(name, len(order)))
    renamed: Mapping[str, str] = options["renameByName"]
    hidden: Mapping[str, bool] = options["excludeByName"]
    unknown = (renamed.keys() | hidden.keys()) - frame.keys()
    assert not unknown, f"organize names columns that are not there: {unknown}"
    return [{renamed.get(name, name): frame[name] for name in names if not hidden.get(name)}]


def _sort_by(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    (by,) = options["sort"]
    # `numericComparer` takes the difference, and so null for zero.
    return [_sorted(frame, by["field"], by["desc"], null=0) for frame in found]


def _sorted(frame: Frame, name: str, descending: bool, null: float) -> Frame:
    assert name in frame, f"sorted by {name}, which is not there"
    values = [null if value is None else value for value in frame[name]]
    order = sorted(range(len(values)), key=values.__getitem__, reverse=descending)
    return {column: [cells[place] for place in order] for column, cells in frame.items()}


def _as_table(found: list[Frame], panel: Mapping[str, Any]) -> list[Frame]:
    """The table's own order, by the title of a column; `sortNumber` puts null below all."""
    for by in panel["options"].get("sortBy", []):
        titles = {
            prop["value"]: override["matcher"]["options"]
            for override in panel["fieldConfig"]["overrides"]
            for prop in override["properties"]
            if prop["id"] == "displayName"
        }
        least = float("-inf")
        name = titles[by["displayName"]]
        found = [_sorted(frame, name, by["desc"], null=least) for frame in found]
    return found


def _filter_fields(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    names = options["include"]["names"]
    kept = [{name: frame[name] for name in frame if name in names} for frame in found]
    return [frame for frame in kept if frame]


def _join_by_field(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    if len(found) < 2:
        return found
    by = options["byField"]
    keys = list(dict.fromkeys(itertools.chain.from_iterable(frame[by] for frame in found)))
    joined: Frame = {by: keys}
    for frame in found:
        rows = {key: place for place, key in enumerate(frame[by])}
        for name, values in frame.items():
            if name != by:
                assert name not in joined, f"two columns of one name after a join: {name}"
                joined[name] = [values[rows[key]] if key in rows else None for key in keys]
    return [joined]


def _group_by(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    reducers: Mapping[str, Callable[[list[Any]], Any]] = {
        "firstNotNull": lambda values: next((v for v in values if v is not None), None),
        "lastNotNull": lambda values: next((v for v in reversed(values) if v is not None), None),
    }
    result = []
    for frame in found:
        (by,) = (name for name, how in options["fields"].items() if how["operation"] == "groupby")
        groups: dict[Any, list[int]] = {}
        for place, key in enumerate(frame[by]):
            groups.setdefault(key, []).append(place)
        grouped: Frame = {by: list(groups)}
        for name, values in frame.items():
            how = options["fields"].get(name)
            if how is None or how["operation"] != "aggregate":
                continue
            for reducer in how["aggregations"]:
                grouped[f"{name} ({reducer})"] = [
                    reducers[reducer]([values[place] for place in places])
                    for places in groups.values()
                ]
        result.append(grouped)
    return result


def _filter_by_value(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    assert (options["match"], options["type"]) == ("any", "exclude")
    result = []
    for frame in found:
        unwanted = set()
        for wish in options["filters"]:
            assert wish["config"]["id"] == "equal"
            values = frame[wish["fieldName"]]
            value = wish["config"]["options"]["value"]
            unwanted |= {place for place, each in enumerate(values) if each == value}
        result.append(
            {
                name: [value for place, value in enumerate(values) if place not in unwanted]
                for name, values in frame.items()
            }
        )
    return result


def _format_time(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    zone = ZoneInfo(options["timezone"])
    formats = {"MM": "%m", "DD": "%d", "ddd": "%a", "HH": "%H"}

    def text(ms: int) -> str:
        moment = datetime.fromtimestamp(ms / 1000, zone)
        # `moment.format`: what is in brackets is text, the rest are tokens.
        return re.sub(
            r"\[([^\[]*)\]|(MM|DD|ddd|HH)",
            lambda found: found[1] if found[1] is not None else moment.strftime(formats[found[2]]),
            options["outputFormat"],
        )

    name = options["timeField"]
    return [{**frame, name: [text(ms) for ms in frame[name]]} for frame in found]


def _extract_fields(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    assert options["format"] == "json"
    result = []
    for frame in found:
        read = [json.loads(text) for text in frame[options["source"]]]
        names = list(dict.fromkeys(itertools.chain.from_iterable(read)))
        result.append(frame | {name: [item.get(name) for item in read] for name in names})
    return result


def _matrix(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    if len(found) != 1:
        return found
    (frame,) = found
    assert options["emptyValue"] == "null"
    rows, columns = frame[options["rowField"]], frame[options["columnField"]]
    cells = {
        (row, column): value
        for row, column, value in zip(rows, columns, frame[options["valueField"]], strict=True)
    }
    order = list(dict.fromkeys(rows))
    corner = f"{options['rowField']}\\{options['columnField']}"
    matrix: Frame = {corner: order}
    for column in dict.fromkeys(columns):
        matrix[column] = [cells.get((row, column)) for row in order]
    return [matrix]


_TRANSFORMERS: Mapping[str, Callable[[list[Frame], Mapping[str, Any]], list[Frame]]] = {
    "organize": _organize,
    "sortBy": _sort_by,
    "filterFieldsByName": _filter_fields,
    "joinByField": _join_by_field,
    "groupBy": _group_by,
    "filterByValue": _filter_by_value,
    "formatTime": _format_time,
    "extractFields": _extract_fields,
    "groupingToMatrix": _matrix,
}


# -- a dashboard in use ---------------------------------------------------------------------


@dataclass(frozen=True)
class Viewer:
    """Somebody who looks at a dashboard.

    Attributes
    ----------
    store : Influx1
        What the data source asks.
    dashboard : dict
        Its JSON.
    span : Range
        What is chosen at the top.
    chosen : mapping
        Values of variables that are not "All".
    points : int
        How many points a panel has room for.
    """

    store: Influx1
    dashboard: dict[str, Any]
    span: Range
    chosen: Mapping[str, Sequence[str]]
    points: int = 800

    def choosing(self, **chosen: Sequence[str]) -> Viewer:
        """The same with other values."""
        return replace(self, chosen={**self.chosen, **chosen})

    def panel(self, title: str) -> dict[str, Any]:
        """A panel by its title."""
        found = [panel for panel in panels(self.dashboard) if panel["title"] == title]
        assert len(found) == 1, f"{len(found)} panels are called {title}"
        return found[0]

    def sees(self, panel: Mapping[str, Any]) -> list[Frame]:
        """What a panel shows: frames after its transformations."""
        span = self.span
        if "timeFrom" in panel:
            span = Range(at(panel["timeFrom"], span.until), span.until)
        step_ms = interval_ms(span, self.points, panel.get("interval", "10s"))
        found: list[Frame] = []
        for target in panel["targets"]:
            text = filled_in(target["query"], span, step_ms, self._values)
            found += frames(self.store.query(text), target)
        found = transformed(found, panel.get("transformations", []))
        return _as_table(found, panel) if panel["type"] == "table" else found

    def offered(self, name: str) -> list[str]:
        """The values that a variable offers, but for "All"."""
        (variable,) = (v for v in self.dashboard["templating"]["list"] if v["name"] == name)
        text = filled_in(variable["query"]["query"], self.span, 10_000, self._values)
        found = self.store.query(text)
        return sorted(row[1] for item in found for row in item["values"])

    def marked(self) -> list[tuple[int, str, list[str]]]:
        """What annotations mark: when, text and tags."""
        (annotation,) = self.dashboard["annotations"]["list"]
        target = annotation["target"]
        text = filled_in(target["query"], self.span, 10_000, self._values)
        found = []
        for item in self.store.query(text):
            columns = item["columns"]
            tags = [columns.index(name) for name in target["tagsColumn"].split(",")]
            words = columns.index(target["textColumn"])
            found += [
                (row[0], row[words], [row[place] for place in tags if row[place]])
                for row in item["values"]
            ]
        return found

    @property
    def _values(self) -> Mapping[str, Sequence[str]]:
        return {
            variable["name"]: self.chosen.get(variable["name"], [ALL])
            for variable in self.dashboard["templating"]["list"]
        }


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard that ask something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def reduced(found: Sequence[Frame], panel: Mapping[str, Any]) -> dict[str, Any]:
    """`getFieldDisplayValues`: what a panel of figures shows, by name of the series."""
    options = panel["options"]["reduceOptions"]
    (calc,) = options["calcs"]
    reducers: Mapping[str, Callable[[list[Any]], Any]] = {
        "lastNotNull": lambda values: next((v for v in reversed(values) if v is not None), None),
        "count": len,
        "median": median,
    }
    pattern = options["fields"].strip("/")
    return {
        name: reducers[calc](values)
        for frame in found
        for name, values in frame.items()
        if name != "Time" and (re.search(pattern, name) if pattern else True)
    }
