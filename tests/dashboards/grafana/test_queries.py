"""Variables, annotations and empty dashboards, asked of a real InfluxDB."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dashboards.grafana.board import Board
from dashboards.grafana.build import BOARDS
from tests.dashboards.grafana.day import UNTIL, ms
from tests.dashboards.grafana.grafana import Range, Viewer, panels
from tests.dashboards.grafana.looking import SHOWN, look
from tests.influx_servers import Influx1


def test_variables_offer_what_there_is(store: Influx1) -> None:
    """Vendors, the bikes of the vendors chosen, and zones; not the place outside all zones."""
    viewer = look(store, "fleet")
    assert viewer.offered("vendor") == ["hello", "meituan"]
    assert viewer.offered("bike") == ["HB001", "HB002", "MB001"]
    assert viewer.offered("zone") == ["cy-01", "cy-02", "cy-03"]
    assert viewer.choosing(vendor=["meituan"]).offered("bike") == ["MB001"]


@pytest.mark.parametrize("board", BOARDS)
def test_alerts_are_marked_where_they_were_raised(store: Influx1, board: Board) -> None:
    """On every dashboard, for the zones that are chosen; dropped ones are not marked."""
    viewer = look(store, board)
    viewer = Viewer(store, viewer.dashboard, Range(UNTIL - timedelta(hours=6), UNTIL), {})
    assert viewer.marked() == [
        (ms("08:10"), "idle_over_frequency", ["zone_unpatrolled", "cy-03", "critical"]),
        (ms("09:02"), "window_short", ["coverage_short", "cy-02", "warning"]),
        (ms("10:31"), "idle_over_frequency", ["zone_unpatrolled", "cy-01", "critical"]),
        (ms("11:00"), "silent", ["bike_offline", "warning"]),
    ]
    if "zone" in {variable["name"] for variable in viewer.dashboard["templating"]["list"]}:
        chosen = viewer.choosing(zone=["cy-02"])
        assert [time for time, _, _ in chosen.marked()] == [ms("09:02")]


@pytest.mark.parametrize(
    ("board", "title"),
    [(board, panel["title"]) for board, shown in SHOWN.items() for panel in panels(shown)],
)
def test_no_data_is_no_error(store: Influx1, board: Board, title: str) -> None:
    """A year before there was anything, every query is answered, with nothing but zeros."""
    viewer = look(store, board)
    span = Range(*(moment - timedelta(days=400) for moment in (viewer.span.since, UNTIL)))
    empty = Viewer(store, viewer.dashboard, span, {"zone": ["nowhere"], "bike": ["none"]})
    for frame in empty.sees(viewer.panel(title)):
        assert not [value for name in frame if name != "Time" for value in frame[name] if value]
