"""Every word of the console, in Chinese and English.

A key is there in both languages or in none; a word of the API (a state, a rule, a reason) is
looked up as ``state.overdue`` and shown as it is when nobody has translated it yet.
"""

from __future__ import annotations

from typing import Literal, get_args

Language = Literal["zh", "en"]

LANGUAGES: tuple[Language, ...] = get_args(Language)

_ENTRIES: dict[str, tuple[str, str]] = {
    "title": ("智巡", "Zhixun"),
    "subtitle": ("巡查调度台", "Patrol console"),
    "other_language": ("English", "中文"),
    "demo": ("演示", "demo"),
    "demo.hint": (
        "演示:时间按此倍速运行,车辆为模拟数据,无需登录",
        "Demo: time runs this many times faster, the bikes are simulated, nobody signs in",
    ),
    "clock.hint": ("系统时间(辖区时区)", "The system's time, in the district's time zone"),
    "bikes": ("在线车辆", "live bikes"),
    "rate": ("条/秒", "msg/s"),
    "health.ready": ("运行正常", "all parts work"),
    "health.behind": ("数据滞后", "behind by"),
    "health.unknown": ("未连接", "not connected"),
    "connecting": ("正在连接…", "Connecting…"),
    "reconnecting": (
        "连接已断开,正在重连…画面可能不是最新",
        "Connection lost, reconnecting… what you see may be out of date",
    ),
    "zones": ("巡查片区", "Zones"),
    "zones.zone": ("片区", "Zone"),
    "zones.covered": ("覆盖率 / 目标", "Covered / target"),
    "zones.idle": ("未巡时长", "Idle"),
    "zones.due": ("距超时", "Due in"),
    "zones.late": ("超时", "late"),
    "zones.by": ("目标截至 {time}", "target by {time}"),
    "zones.never": ("从未", "never"),
    "zones.empty": ("尚无片区数据", "No zones yet"),
    "alerts": ("未结告警", "Open alerts"),
    "alerts.empty": ("没有未结告警", "No open alerts"),
    "alerts.acknowledge": ("确认", "Acknowledge"),
    "alerts.acknowledged_by": ("已由 {who} 确认", "acknowledged by {who}"),
    "alerts.reopened": ("再次发生 ×{n}", "came back ×{n}"),
    "alerts.refused": ("无法执行:{why}", "Not possible: {why}"),
    "alerts.failed": ("请求失败,请重试", "The request failed, please try again"),
    "legend": ("图例", "Legend"),
    "legend.cells": ("网格最近巡查", "Cell last patrolled"),
    "legend.within": ("{age}内", "≤ {age}"),
    "legend.older": ("更早", "older"),
    "legend.bike_live": ("在线", "live"),
    "legend.bike_stale": ("失联", "silent"),
    "bike.silent": ("失联 {age}", "silent for {age}"),
    "bike.speed": ("{speed} 公里/时", "{speed} km/h"),
    "bike.battery": ("电量 {percent}%", "battery {percent} %"),
    "door.login.title": ("登录", "Sign in"),
    "door.login.button": ("登录", "Sign in"),
    "door.login.hint": ("忘记密码请联系管理员", "Forgot the password? Ask an administrator"),
    "door.setup.title": ("设置第一位管理员", "Set up the first administrator"),
    "door.setup.button": ("创建并登录", "Create and sign in"),
    "door.setup.hint": (
        "此链接只能使用一次。密码至少 12 个字符",
        "This link works once. A password has at least 12 characters",
    ),
    "door.password.title": ("修改密码", "Change the password"),
    "door.password.button": ("修改", "Change"),
    "door.password.hint": (
        "修改后,所有已登录的设备都需重新登录",
        "All devices that are signed in will have to sign in again",
    ),
    "door.username": ("用户名", "User name"),
    "door.password": ("密码", "Password"),
    "door.current": ("当前密码", "Current password"),
    "door.new": ("新密码", "New password"),
    "door.again": ("再次输入密码", "The password again"),
    "door.different": ("两次输入的密码不一致", "The two passwords differ"),
    "door.failed": ("请求失败,请重试", "The request failed, please try again"),
    "door.wrong_credentials": ("用户名或密码错误", "User name or password is wrong"),
    "door.too_many_attempts_user": (
        "此用户尝试次数过多,请 {n} 秒后再试",
        "Too many attempts for this user; try again in {n} s",
    ),
    "door.too_many_attempts_address": (
        "此地址尝试次数过多,请 {n} 秒后再试",
        "Too many attempts from this address; try again in {n} s",
    ),
    "door.too_many_attempts": (
        "登录人数过多,请 {n} 秒后再试",
        "Too many people are signing in; try again in {n} s",
    ),
    "door.weak_password": (
        "密码须为 12 至 256 个字符,不能含用户名,且不能过于单一",
        "A password has 12 to 256 characters, not all alike, and not the user name in it",
    ),
    "door.invalid_username": (
        "用户名为 1 至 32 个字符:小写字母、数字和 . _ -",
        "A user name is 1 to 32 of the characters a-z 0-9 . _ -",
    ),
    "door.invitation_missing": (
        "请打开 patrol run 输出的一次性链接",
        "Open the one-time link that patrol run has printed",
    ),
    "door.invitation_wrong": (
        "此链接已使用或已被替换,请使用 patrol run 最新输出的链接",
        "This link was used or replaced; take the newest that patrol run has printed",
    ),
    "door.invitation_over": (
        "此链接已过期,请重新启动 patrol run",
        "This link is too old; start patrol run again",
    ),
    "door.already_set_up": ("已有管理员,请登录", "There is an administrator; sign in"),
    "me.sign_out": ("退出", "Sign out"),
    "me.password": ("修改密码", "Change the password"),
    "role.viewer": ("查看者", "viewer"),
    "role.dispatcher": ("调度员", "dispatcher"),
    "role.admin": ("管理员", "administrator"),
    "unit.s": ("{n}秒", "{n} s"),
    "unit.min": ("{n}分", "{n} min"),
    "unit.h": ("{n}小时", "{n} h"),
    "unit.h_min": ("{n}时{m}分", "{n} h {m}"),
    "unit.d": ("{n}天", "{n} d"),
    "unit.d_h": ("{n}天{m}时", "{n} d {m} h"),
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


def texts(language: Language) -> dict[str, str]:
    """All entries in one language."""
    column = LANGUAGES.index(language)
    return {key: entry[column] for key, entry in _ENTRIES.items()}
