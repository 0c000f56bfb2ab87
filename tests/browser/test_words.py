"""What is wrong with what somebody gave the API is said in the language of the page."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely.affinity
from playwright.sync_api import Page
from pydantic import BaseModel, ValidationError

from alerts.errors import PolicyError
from dashboards.api.orders import NewCampaign, Pause
from dashboards.console.catalogue import texts
from geofence.errors import ZonesError
from geofence.redrawing import ended, redrawn
from tests.dashboards.district import (
    NINE_MS,
    POLICIES,
    TIMEZONE,
    ZoneInfo,
    new_district,
    sample_drawn,
)

HOUR_MS = 3_600_000
SOON, LATER = "2025-11-23T10:00", "2025-11-24"
CAMPAIGN = {"zones": ["cy-04"], "to": LATER, "target": 0.9}
CAMPAIGNS = [
    {"to": "soon"},
    {"from": LATER, "to": SOON},
    {"from": "2025-11-01"},
    {"zones": ["nowhere"]},
    {"frequency": "often"},
    {"frequency": "0s"},
    {"target": 7},
    {"look_back": "2 hours"},
    {"target": None},
]
SQUARE = [[120.50, 36.30], [120.51, 36.30], [120.51, 36.31], [120.50, 36.31], [120.50, 36.30]]
WITHIN = [[120.502, 36.302], [120.508, 36.302], [120.508, 36.308], [120.502, 36.308]]


def closed(ring: list[list[float]]) -> list[list[float]]:
    """A ring whose first place is repeated at its end."""
    return [*ring, ring[0]]


def moved(ring: list[list[float]], lng: float, lat: float = 0.0) -> list[list[float]]:
    """A ring somewhere else."""
    return [[place[0] + lng, place[1] + lat] for place in ring]


PROPERTIES = {"name": "New", "policy": "core"}
DRAWN: list[tuple[str, list[list[list[float]]], dict[str, object]]] = [
    ("cy-10", [moved(SQUARE, -0.12)], PROPERTIES),  # over others
    ("cy-10", [moved(SQUARE, 0.6)], PROPERTIES),  # far away
    ("cy-10", [[SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]], PROPERTIES),
    ("cy-10", [SQUARE, closed(moved(WITHIN, 0.05))], PROPERTIES),
    ("cy-10", [SQUARE, closed(WITHIN), closed(moved(WITHIN, 0.001))], PROPERTIES),
    (
        "cy-10",
        [SQUARE, closed([[120.50, 36.305], [120.505, 36.307], [120.51, 36.305]])],
        PROPERTIES,
    ),
    ("cy-10", [[[120.5, 36.3], [120.50001, 36.3], [120.5, 36.30001], [120.5, 36.3]]], PROPERTIES),
    ("cy-10", [[[120, 36.3], [121, 36.3], [120.5, 36.9], [120, 36.3]]], PROPERTIES),
    ("a b", [SQUARE], PROPERTIES),
    ("cy-10", [SQUARE], {"name": "", "policy": "core"}),
    ("cy-10", [SQUARE], {"name": "New", "policy": "none"}),
    ("cy-10", [SQUARE], {**PROPERTIES, "code": "12"}),
    ("cy-10", [SQUARE], {**PROPERTIES, "code": "37021400190401"}),
]


@pytest.fixture
def messages(tmp_path: Path) -> list[str]:
    """What forms of the console can be told is wrong with them, as the API says it."""
    found: list[str] = []
    with new_district(tmp_path) as district:
        orders = district.orders
        orders.start("taken", CAMPAIGN, "li", NINE_MS)
        tried = [("taken", {}), ("a/b", {}), *(("new", keys) for keys in CAMPAIGNS)]
        for name, keys in tried:
            given = {key: value for key, value in (CAMPAIGN | keys).items() if value is not None}
            with pytest.raises(PolicyError) as refused:
                orders.start(name, given, "li", NINE_MS)
            found += [problem.message for problem in refused.value.problems]
    zone, zones = ZoneInfo(TIMEZONE), sample_drawn()
    for zone_id, rings, properties in DRAWN:
        feature = {"geometry": {"type": "Polygon", "coordinates": rings}, "properties": properties}
        with pytest.raises(ZonesError) as wrong:
            redrawn(zones, zone_id, feature, NINE_MS, policies={"core"}, timezone=zone)
        found += [problem.message for problem in wrong.value.problems if problem.message]
    beside = shapely.affinity.translate(zones.zones[3].geometry, 1e-5)
    moved = {"geometry": beside.__geo_interface__, "properties": {"name": "a", "policy": "core"}}
    slivers = redrawn(zones, "cy-04", moved, NINE_MS, policies=POLICIES, timezone=zone).warnings
    assert slivers
    found += [warning.message for warning in slivers]
    for each in zones.zones[:-1]:
        zones = ended(zones, each.zone_id, NINE_MS, zone)
    with pytest.raises(ZonesError) as last:
        ended(zones, zones.zones[-1].zone_id, NINE_MS, zone)
    found += [problem.message for problem in last.value.problems]
    return [*found, *_of(Pause, {"reason": ""}), *_of(NewCampaign, {"reason": "a" * 2_001})]


def _of(model: type[BaseModel], body: dict[str, object]) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    return [error["msg"] for error in refused.value.errors()]


def test_problems_are_told_in_chinese(scripts: Page, messages: list[str]) -> None:
    """None of those that a form can meet is left to the API's English."""
    told = scripts.evaluate(
        """([messages, texts]) => messages.map((message) => w.inWords(message, {
          zone: (zoneId) => zoneId,
          say: (key, values) => key === "refusal.other" ? null
            : texts[key].replace(/\\{(\\w+)\\}/g, (_, name) => values[name]) }))""",
        [messages, texts("zh")],
    )
    assert len(messages) >= len(CAMPAIGNS) + len(DRAWN) + 4
    left = [message for message, text in zip(messages, told, strict=True) if text is None]
    assert left == []
    assert not [text for text in told if "undefined" in text or "{" in text]
