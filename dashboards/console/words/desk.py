"""The map and what stands beside it."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
    "zones": ("巡查片区", "Zones"),
    "zones.zone": ("片区", "Zone"),
    "zones.covered": ("覆盖率 / 目标", "Covered / target"),
    "zones.idle": ("未巡时长", "Idle"),
    "zones.due": ("距超时", "Due in"),
    "zones.late": ("超时", "late"),
    "zones.by": ("目标截至 {time}", "target by {time}"),
    "zones.never": ("从未", "never"),
    "zones.empty": ("尚无片区数据", "No zones yet"),
    "legend": ("图例", "Legend"),
    "legend.cells": ("网格最近巡查", "Cell last patrolled"),
    "legend.within": ("{age}内", "≤ {age}"),
    "legend.older": ("更早", "older"),
    "legend.bike_live": ("在线", "live"),
    "legend.bike_stale": ("失联", "silent"),
    "bike.silent": ("失联 {age}", "silent for {age}"),
    "bike.speed": ("{speed} 公里/时", "{speed} km/h"),
    "bike.battery": ("电量 {percent}%", "battery {percent} %"),
}
