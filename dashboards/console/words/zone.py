"""The page of one zone, and what is asked of it in words."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
    "zone.window": ("本时段进度", "This window"),
    "zone.cells": ("未巡网格", "Cells not yet visited"),
    "zone.days": ("月度覆盖", "The month"),
    "zone.policy": ("巡查要求", "What is asked"),
    "zone.alerts": ("告警", "Alerts"),
    "zone.inside": ("在场车辆", "Inside now"),
    "zone.today": ("今日到访", "Here today"),
    "zone.no_alerts": ("暂无告警", "No alerts"),
    "zone.nobody": ("目前无车在场", "Nobody is inside"),
    "zone.nobody_today": ("今日尚无车辆到访", "Nobody was here today"),
    "zone.n_cells": ("{n} 格", "{n} cells"),
    "zone.no_window": ("尚未进入首个考核时段", "The first window has not begun"),
    "zone.target": ("目标 {target}", "target {target}"),
    "zone.deadline": ("截至 {time}", "until {time}"),
    "zone.then": ("预计 {ratio}", "then {ratio}"),
    "zone.says.early": (
        "已覆盖 {ratio},须在 {time} 前达到 {target};巡查时间尚短,暂不预测。",
        "{ratio} covered; {target} is asked by {time}. It is too early to say more.",
    ),
    "zone.says.fine": (
        "已覆盖 {ratio};按目前进度,{time} 时预计 {then},可达目标 {target}。",
        "{ratio} covered; at this rate {then} by {time}, enough for {target}.",
    ),
    "zone.says.short": (
        "已覆盖 {ratio};按目前进度,{time} 时预计仅 {then},达不到目标 {target}。",
        "{ratio} covered; at this rate only {then} by {time}, short of {target}.",
    ),
    "zone.says.reached": (
        "已覆盖 {ratio},已达目标 {target}(截至 {time})。",
        "{ratio} covered: the target of {target} by {time} is reached.",
    ),
    "zone.says.reached_over": (
        "时段已于 {time} 结束:覆盖 {ratio},达到目标 {target}。",
        "The window ended {time}: {ratio} covered, the target of {target} was reached.",
    ),
    "zone.says.short_over": (
        "时段已于 {time} 结束:覆盖 {ratio},未达目标 {target}。",
        "The window ended {time}: {ratio} covered, short of the target of {target}.",
    ),
    "zone.cells_left": (
        "共 {total} 格,自 {time} 起还有 {n} 格未巡",
        "{n} of {total} cells not visited since {time}",
    ),
    "zone.cells_none": (
        "共 {total} 格,自 {time} 起全部巡到",
        "All {total} cells visited since {time}",
    ),
    "zone.missing": ("本时段未巡", "not visited in this window"),
    "zone.ages": ("按最近巡查时间显示", "show ages instead"),
    "zone.month.before": ("上个月", "The month before"),
    "zone.month.after": ("下个月", "The month after"),
    "zone.month": (
        "{month}:{missed} 天未达标,{unknown} 天无记录",
        "{month}: {missed} days missed their target, {unknown} days without a record",
    ),
    "zone.day": (
        "{date}:覆盖 {ratio}({n}/{total} 格),目标 {target}",
        "{date}: {ratio} covered ({n} of {total} cells), target {target}",
    ),
    "zone.day.reached": ("已达标", "target reached"),
    "zone.day.missed": ("未达标", "target missed"),
    "zone.day.open": ("尚未考核", "not judged yet"),
    "zone.day.free": ("当日无巡查任务", "no duty that day"),
    "zone.day.idle": ("网格平均闲置 {time}", "a cell was {time} without a visit on average"),
    "zone.day.unknown": ("{date}:无记录", "{date}: no record"),
    "zone.day.ahead": ("{date}:尚未到来", "{date}: still to come"),
    "zone.key.missed": ("未达标", "target missed"),
    "zone.key.unknown": ("无记录", "no record"),
    "policy.hours": ("巡查时间:{hours}。", "Patrol hours: {hours}."),
    "policy.frequency": (
        "{hours},至少每{time}巡查一次。",
        "Patrolled at least every {time} during {hours}.",
    ),
    "policy.target.shift": (
        "每班结束前覆盖 {target} 的网格。",
        "{target} of its cells by the end of each shift.",
    ),
    "policy.target.day": (
        "每日结束前覆盖 {target} 的网格。",
        "{target} of its cells by the end of each day.",
    ),
    "policy.target.week": (
        "每周结束前覆盖 {target} 的网格。",
        "{target} of its cells by the end of each week.",
    ),
    "policy.patrol": (
        "30 分钟内巡到 {n} 个网格,才算巡查一次。",
        "{n} cells within 30 minutes count as a patrol.",
    ),
    "policy.look_back": (
        "回头看:超时告警销号后{time}内须再次巡查。",
        "Look-back: patrolled again within {time} after an overdue alert was closed.",
    ),
    "policy.closes": (
        "告警恢复满{time}后自动销号。",
        "An alert closes by itself {time} after it has returned.",
    ),
    "policy.stays": (
        "告警恢复后须人工核实销号。",
        "An alert that has returned is closed by a person.",
    ),
    "policy.paused": ("巡查已暂停:{why}", "Patrols are paused: {why}"),
    "policy.exception": (
        "{what}:{from} 至 {to} 不安排巡查",
        "{what}: no patrols from {from} to {to}",
    ),
    "policy.and": ("、", ", "),
    "policy.and_day": ("、", ", "),
    "policy.and_days": (";", "; "),
    "policy.daily": ("每日", "Mon–Sun"),
    "policy.days": ("{first}至{last}", "{first}–{last}"),
    "policy.next_day": ("次日", "next day "),
    "day.0": ("周一", "Mon"),
    "day.1": ("周二", "Tue"),
    "day.2": ("周三", "Wed"),
    "day.3": ("周四", "Thu"),
    "day.4": ("周五", "Fri"),
    "day.5": ("周六", "Sat"),
    "day.6": ("周日", "Sun"),
}
