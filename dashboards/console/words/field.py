"""Words of the contract: states, rules."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
    "state.overdue": ("超时未巡", "overdue"),
    "state.due": ("即将超时", "due soon"),
    "state.unmeasurable": ("无法判定", "unknown"),
    "state.compliant": ("达标", "compliant"),
    "state.off_duty": ("非巡查时段", "off duty"),
    "state.paused": ("暂停", "paused"),
    "alert.pending": ("待触发", "pending"),
    "alert.active": ("待处理", "active"),
    "alert.acknowledged": ("已确认", "acknowledged"),
    "alert.returned": ("已恢复,待销号", "returned, to be closed"),
    "alert.shelved": ("已搁置", "shelved"),
    "alert.closed": ("已销号", "closed"),
    "alert.voided": ("已作废", "voided"),
    "rule.zone_unpatrolled": ("片区超时未巡", "Zone not patrolled"),
    "rule.coverage_short": ("覆盖率未达标", "Coverage short of target"),
    "rule.coverage_at_risk": ("覆盖率恐不达标", "Coverage at risk"),
    "rule.look_back_due": ("需回头看", "Look-back due"),
    "rule.telemetry_silent": ("遥测中断", "Telemetry silent"),
    "rule.bike_offline": ("车辆离线", "Bike offline"),
    "rule.bike_battery_low": ("车辆电量低", "Bike battery low"),
    "rule.bike_outside_district": ("车辆驶出辖区", "Bike outside the district"),
    "rule.vendor_rejects": ("厂商报文异常", "Vendor messages rejected"),
}
