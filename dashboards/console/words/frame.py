"""What every page has: the bar, the connection, the units."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
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
}
