"""What is done about alerts."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
    "alerts": ("未结告警", "Open alerts"),
    "alerts.empty": ("没有未结告警", "No open alerts"),
    "alerts.acknowledge": ("确认", "Acknowledge"),
    "alerts.acknowledged_by": ("已由 {who} 确认", "acknowledged by {who}"),
    "alerts.reopened": ("再次发生 ×{n}", "came back ×{n}"),
    "alerts.refused": ("无法执行:{why}", "Not possible: {why}"),
    "alerts.failed": ("请求失败,请重试", "The request failed, please try again"),
}
