"""The table of the zones."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
    "zones.tab.zones": ("片区", "Zones"),
    "zones.tab.campaigns": ("专项与暂停", "Campaigns and pauses"),
    "zones.head.state": ("状态", "State"),
    "zones.head.zone": ("片区", "Zone"),
    "zones.head.covered": ("覆盖率 / 目标", "Covered / target"),
    "zones.head.trend": ("本时段走势", "This window"),
    "zones.head.idle": ("未巡时长", "Idle"),
    "zones.head.due": ("距超时", "Due in"),
    "zones.head.bikes": ("在场车辆", "Bikes inside"),
    "zones.head.visit": ("最近到访", "Last visit"),
    "zones.head.alerts": ("未结告警", "Open alerts"),
    "zones.pick": ("请先选择片区", "Choose a zone first"),
    "zones.campaign": ("专项:{name}", "campaign: {name}"),
    "zones.paused_until": ("暂停至 {time}", "until {time}"),
    "zones.ago": ("{age}前", "{age} ago"),
    "zones.trend": (
        "{from} 至 {to}:已覆盖 {ratio},目标 {target}",
        "{from} to {to}: {ratio} covered, target {target}",
    ),
}
