"""The shapes of the answers: plain dictionaries, typed, and named in the OpenAPI document.

They are encoded by msgspec, which writes NaN as null and takes a tenth of the time that
validating them again would.
"""

from __future__ import annotations

from dashboards.api.answers.alerts import (
    Alert,
    AlertRecord,
    Alerts,
    AlertTransition,
    Campaign,
    Campaigns,
)
from dashboards.api.answers.answer import Answer, GeoAnswer, ProblemDocument, Time
from dashboards.api.answers.bikes import (
    Bike,
    BikeCells,
    BikeDay,
    BikeDays,
    BikeMarks,
    BikePath,
    Bikes,
    BikeStop,
    BikeTrack,
    BikeZone,
    Tracks,
)
from dashboards.api.answers.coverage import (
    Coverage,
    HoursException,
    Trend,
    VisitBy,
    WindowCoverage,
    ZoneAt,
    ZoneCoverage,
    ZoneDay,
    ZoneDays,
    ZonePolicy,
    ZoneTrend,
)
from dashboards.api.answers.health import PartState, Readiness, RejectedMessage, Rejects
from dashboards.api.answers.zones import Cell, Cells, GridBox, Policies, PolicyName, ZoneChange

__all__ = [
    "Alert",
    "AlertRecord",
    "AlertTransition",
    "Alerts",
    "Answer",
    "Bike",
    "BikeCells",
    "BikeDay",
    "BikeDays",
    "BikeMarks",
    "BikePath",
    "BikeStop",
    "BikeTrack",
    "BikeZone",
    "Bikes",
    "Campaign",
    "Campaigns",
    "Cell",
    "Cells",
    "Coverage",
    "GeoAnswer",
    "GridBox",
    "HoursException",
    "PartState",
    "Policies",
    "PolicyName",
    "ProblemDocument",
    "Readiness",
    "RejectedMessage",
    "Rejects",
    "Time",
    "Tracks",
    "Trend",
    "VisitBy",
    "WindowCoverage",
    "ZoneAt",
    "ZoneChange",
    "ZoneCoverage",
    "ZoneDay",
    "ZoneDays",
    "ZonePolicy",
    "ZoneTrend",
]
