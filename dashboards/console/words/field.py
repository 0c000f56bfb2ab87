"""Words of the contract: states, rules, verdicts."""

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
    "verdict.ok": ("可信", "believed"),
    "verdict.ok.hint": (
        "定位可信,计入轨迹和覆盖",
        "A good fix: it counts for the path and for coverage",
    ),
    "verdict.duplicate": ("重复", "duplicate"),
    "verdict.duplicate.hint": (
        "同一时刻已有一个定位,保留精度较好的。数量多时,请厂商检查是否重复补传",
        "There was a fix of the same instant already; the more accurate one stays. "
        "When there are many, the vendor should check whether stored fixes are sent twice",
    ),
    "verdict.inaccurate": ("精度不足", "inaccurate"),
    "verdict.inaccurate.hint": (
        "设备自报误差超过限值。高楼、树荫和高架下偶有属正常;持续出现请厂商检查天线和卫星信号",
        "The device itself says it may be off by more than the limit. Now and then is normal "
        "among tall buildings and trees; when it lasts, the vendor should check the antenna",
    ),
    "verdict.teleport": ("位置跳变", "jump"),
    "verdict.teleport.hint": (
        "与前后定位都对不上,不可能骑到那里。该点已忽略;频繁出现请厂商检查定位模块和时钟",
        "It agrees with neither the fix before nor the one after; nobody rides there and back so "
        "fast. It is left out; when it is frequent, the vendor should check receiver and clock",
    ),
    "verdict.too_fast": ("速度过快", "too fast"),
    "verdict.too_fast.hint": (
        "移动速度超出骑行可能,多半是装车转运,不计巡查。若确为骑行,请厂商检查时间戳",
        "Faster than a bike is ridden: most likely it was carried in a van, which is no patrol. "
        "If it was ridden, the vendor should check the timestamps",
    ),
    "verdict.parked": ("停放", "parked"),
    "verdict.parked.hint": (
        "停在原地,位置可信但不计巡查。巡查时段停放过久,请联系骑行人员",
        "It stood still: the position is believed, but standing is no patrol. When it stands for "
        "long in patrol hours, ask whoever rides it",
    ),
    "verdict.off_shift": ("非巡查时段", "off shift"),
    "verdict.off_shift.hint": (
        "不在巡查时段内,不计巡查。若当时确有任务,请调整巡查时段",
        "Outside patrol hours, so it does not count. If there was work to do, the hours of the "
        "policy should be changed",
    ),
    "verdict.outside_district": ("辖区外", "outside the district"),
    "verdict.outside_district.hint": (
        "位于辖区之外,不计巡查。若车辆其实在辖区内,多半是坐标系配置不符,请核对厂商的 datum",
        "It lies outside the district, so it does not count. If the bike was in fact inside, the "
        "vendor's datum is probably configured wrongly: check `datum`",
    ),
}
