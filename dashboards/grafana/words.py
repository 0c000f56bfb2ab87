"""Every word of the dashboards, in Chinese and English; those of the console are the same.

A key is there in both languages or in none. ``x`` is a title, ``x.why`` says which question
it answers and how the figure is made, ``x.none`` what stands where there is nothing to show.
"""

from __future__ import annotations

from typing import Final

from dashboards.console import catalogue
from dashboards.console.catalogue import LANGUAGES, Language
from dashboards.grafana.titles import TITLES

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "none": ("所选时段没有数据", "No data in this time range"),
    "unknown": ("未知", "not known"),
    "none.zone": ("(无片区)", "(no zone)"),
    "folder": ("智巡", "Zhixun"),
    "links": ("智巡看板", "Zhixun dashboards"),
    "annotation.alerts": ("告警", "Alerts"),
    "variable.vendor": ("厂商", "Vendor"),
    "variable.zone": ("片区", "Zone"),
    "variable.bike": ("车辆", "Bike"),
    "unit.per_second": ("suffix:条/秒", "suffix: fixes/s"),
    "column.bike": ("车辆", "Bike"),
    "column.vendor": ("厂商", "Vendor"),
    "column.heard": ("最后上报", "Last heard"),
    "column.battery": ("电量", "Battery"),
    "column.speed": ("车速", "Speed"),
    "column.heading": ("航向", "Heading"),
    "column.verdict": ("定位判定", "Fix is"),
    "column.zone": ("片区", "Zone"),
    "column.state": ("状态", "State"),
    "column.covered": ("覆盖率", "Covered"),
    "column.target": ("目标", "Target"),
    "column.due": ("距超时", "Due in"),
    "column.idle": ("未巡时长", "Idle"),
    "column.worst_idle": ("最长未巡", "Longest idle"),
    "column.oldest_cell_age": ("最久未巡网格", "Oldest cell"),
    "column.mean_cell_age": ("网格平均未巡", "Mean cell age"),
    "column.bikes_inside": ("区内车辆", "Bikes inside"),
    "column.policy": ("巡查策略", "Policy"),
    "column.as_of": ("数据时间", "As of"),
    "column.day": ("日期", "Day"),
    "column.on_time": ("按时率", "On time"),
    "column.measured": ("可判定", "Measured"),
    "column.alert": ("告警编号", "Alert"),
    "column.rule": ("规则", "Rule"),
    "column.severity": ("级别", "Severity"),
    "column.actor": ("操作人", "By"),
    "column.raised": ("发生", "Raised"),
    "column.since": ("状态变更", "In this state since"),
    "column.when": ("时间", "Time"),
    "column.from_state": ("原状态", "From"),
    "column.reason": ("原因", "Reason"),
    "column.rate": ("销号率", "Closing rate"),
    "column.acknowledged_after": ("确认用时(中位)", "To acknowledge (median)"),
    "column.returned_after": ("恢复用时(中位)", "To patrol (median)"),
    "column.why": ("原因", "Reason"),
    "column.messages": ("报文数", "Messages"),
    "column.median": ("中位间隔", "Median interval"),
    "column.p95": ("95% 不超过", "95 % within"),
    "series.bikes": ("车辆数", "Bikes"),
    "series.distance": ("里程", "Distance"),
    "series.covered": ("覆盖率", "Covered"),
    "series.target": ("目标", "Target"),
    "series.raised": ("发生", "Raised"),
    "series.closed": ("销号", "Closed"),
    "series.acknowledged_after": ("确认用时", "To acknowledge"),
    "series.returned_after": ("恢复用时", "To patrol"),
    "series.closed_after": ("销号用时", "To close"),
    "series.received": ("收到", "Received"),
    "series.stored": ("入库", "Stored"),
    "series.duplicates": ("重复", "Duplicates"),
    "series.rejected": ("拒收", "Rejected"),
    "series.lag": ("滞后", "Lag"),
    "series.depth": ("待处理", "Waiting"),
    "online.true": ("已连接", "connected"),
    "online.false": ("已断开", "disconnected"),
    "part.ok": ("正常", "works"),
    "part.bad": ("异常", "does not work"),
    "severity.critical": ("严重", "critical"),
    "severity.warning": ("一般", "warning"),
    "severity.info": ("提示", "info"),
    "verdict.ok": ("有效", "good"),
    "verdict.duplicate": ("重复", "duplicate"),
    "verdict.inaccurate": ("精度不足", "inaccurate"),
    "verdict.teleport": ("位置跳变", "teleport"),
    "verdict.too_fast": ("速度过快", "too fast"),
    "verdict.parked": ("停放", "parked"),
    "verdict.off_shift": ("非当班", "off shift"),
    "verdict.outside_district": ("辖区外", "outside the district"),
    "reject.not_json": ("不是 JSON", "not JSON"),
    "reject.schema": ("字段不符", "fields are wrong"),
    "reject.out_of_range": ("数值越界", "out of range"),
    "reject.device_mismatch": ("设备号不符", "another device's topic"),
    "reject.unknown_vendor": ("未知厂商", "unknown vendor"),
    "reject.unknown_bike": ("未知车辆", "unknown bike"),
    "reject.too_large": ("报文过大", "too large"),
    "reject.too_many": ("条数过多", "too many items"),
    "reject.future_timestamp": ("时间超前", "in the future"),
    "reject.too_old": ("时间过旧", "too old"),
}

_SHARED: Final = ("state.", "alert.", "rule.")


def texts(language: Language) -> dict[str, str]:
    """All entries in one language."""
    place = LANGUAGES.index(language)
    shared = {
        key: text for key, text in catalogue.texts(language).items() if key.startswith(_SHARED)
    }
    own = {key: entry[place] for key, entry in (_WORDS | TITLES).items()}
    return shared | own
