"""Titles of dashboards and panels, and the questions that they answer: (Chinese, English)."""

from __future__ import annotations

from typing import Final

TITLES: Final[dict[str, tuple[str, str]]] = {
    "fleet": ("车辆总览", "Fleet"),
    "fleet.why": (
        "哪些车在线、在哪里、骑了多远、还有多少电。",
        "Which bikes are live, where they are, how far they ride, how full their batteries are.",
    ),
    "fleet.live": ("在线车辆", "Live bikes"),
    "fleet.live.why": (
        "所选时段末尾 5 分钟内有上报的车辆数(不受片区筛选影响)。",
        "Bikes heard in the last 5 minutes of the time range, whatever zone is chosen.",
    ),
    "fleet.live.none": ("0", "0"),
    "fleet.silent": ("失联车辆", "Silent bikes"),
    "fleet.silent.why": (
        "所选时段内上报过、但末尾 5 分钟内没有上报的车辆数(不受片区筛选影响)。",
        "Bikes that were heard in the time range, but not in its last 5 minutes, whatever zone "
        "is chosen. The table below names them.",
    ),
    "fleet.silent.none": ("0", "0"),
    "fleet.low_battery": ("低电量车辆", "Low batteries"),
    "fleet.low_battery.why": (
        "最近一次上报的电量低于 20% 的车辆数。",
        "Bikes whose last report said less than 20 %.",
    ),
    "fleet.low_battery.none": ("0", "0"),
    "fleet.distance": ("总里程", "Distance"),
    "fleet.distance.why": (
        "按每分钟平均车速累计;没有上报的分钟不计。选择片区时,只计在该片区内的里程。",
        "Speed summed minute by minute; a minute without telemetry counts nothing. With zones "
        "chosen, what was ridden inside them.",
    ),
    "fleet.map": ("车辆位置", "Where the bikes are"),
    "fleet.map.why": (
        "箭头为航向,颜色为电量(红:低于 20%,橙:低于 40%)。取最近一次可信的定位;选择片区时,只显示"
        "此刻在该片区内的车辆。底图必须是 WGS-84;国内底图(GCJ-02)会偏移约 450 米。",
        "The arrow is the heading, the colour the battery (red below 20 %, orange below 40 %). "
        "The last fix that can be believed; with zones chosen, the bikes that are in them. The "
        "base map must be WGS-84: one in GCJ-02, as made in China, is off by some 450 m.",
    ),
    "fleet.map.bikes": ("车辆", "Bikes"),
    "fleet.map.ground": ("底图", "Map"),
    "fleet.bikes": ("各车最后上报", "Each bike's last word"),
    "fleet.bikes.why": (
        "失联最久的排在最前。点击车号,只看这一辆。",
        "The bike that is silent for longest comes first. A click on a bike shows it alone.",
    ),
    "fleet.live_over_time": ("有上报的车辆数", "Bikes heard"),
    "fleet.live_over_time.why": (
        "每个时间格内至少上报一次的车辆数(时间格不短于 5 分钟)。",
        "Bikes that reported at least once in each interval, of 5 minutes or more.",
    ),
    "fleet.distance_by_hour": ("每小时里程", "Distance by hour"),
    "fleet.distance_by_hour.why": (
        "所选车辆每小时合计的里程。",
        "How far the chosen bikes rode together, hour by hour.",
    ),
    "fleet.distance_by_bike": ("各车里程", "Distance by bike"),
    "fleet.distance_by_bike.why": (
        "谁骑得最多、谁几乎没动(最多 40 辆)。",
        "Who rode the most, and who hardly moved; at most 40 bikes.",
    ),
    "fleet.connections": ("连接状态", "Connections"),
    "fleet.connections.why": (
        "车辆(或其遗嘱消息)自报的 MQTT 连接状态。",
        "What each bike, or its last will, said of its MQTT connection.",
    ),
    "fleet.connections.none": (
        "所选时段内没有车辆上报连接状态",
        "No bike said anything about its connection in this time range",
    ),
    "coverage": ("巡查覆盖", "Coverage"),
    "coverage.why": (
        "各片区现在怎样、该先去哪里、这一周和这个月做得怎样。",
        "How the zones stand, where to go first, how the week and the month went.",
    ),
    "coverage.states": ("片区状态(片区数)", "Zones by state"),
    "coverage.states.why": (
        "每种状态现在有几个片区;没有片区的状态不显示。“无法判定”不是“没巡查”:没有数据能说明。",
        "How many zones are in each state; a state without zones is left out. Unknown is not "
        "unpatrolled: there is no telemetry that could have told.",
    ),
    "coverage.sampling": ("上报间隔(中位)", "Reporting interval (median)"),
    "coverage.sampling.why": (
        "覆盖率看不到两次定位之间的弯路。间隔越长,越可能漏计网格。",
        "Coverage cannot see a detour between two fixes: the longer the interval, the more "
        "cells may be missed. Read every covered ratio beside this figure.",
    ),
    "coverage.zones": ("片区现状", "Zones now"),
    "coverage.zones.why": (
        "距超时最近的排在最前。覆盖率按当前考核时段(班次、日或周)计;未巡时长只计巡查时段。"
        "点击片区,查看它的告警。",
        "The zone with the least time left comes first. The covered ratio is that of the current "
        "window (shift, day or week); idle time counts duty time only. A click on a zone shows "
        "its alerts.",
    ),
    "coverage.due": ("距超时", "Time to breach"),
    "coverage.due.why": (
        "离下一次违反巡查策略还有多久;负数为已超时(按巡查时段计)。",
        "How long until the zone breaks its policy, by frequency or by forecast; negative, in "
        "duty time, once it has.",
    ),
    "coverage.oldest": ("最久未巡的网格", "Oldest cells"),
    "coverage.oldest.why": (
        "每个片区里最久没有去过的网格,已有多久。",
        "The age of the cell in each zone that nobody visited for longest.",
    ),
    "coverage.states_over_time": ("片区状态变化", "States over time"),
    "coverage.states_over_time.why": (
        "每个片区何时达标、何时超时、何时无法判定。空白为当时没有数据。",
        "When each zone was compliant, late, or unknown. A gap is a time without data.",
    ),
    "coverage.record": ("本周与本月", "This week, this month"),
    "coverage.week": ("一周各时段按时率", "On time, by hour of the week"),
    "coverage.week.why": (
        "最近七天每小时:在可判定的巡查时段里,片区没有超时的比例。颜色浅深与数字一致。",
        "For each hour of the last seven days: of the duty time that could be judged, the share "
        "in which zones were not overdue. It shows at which hours patrols are missing.",
    ),
    "coverage.month": ("本月达标情况", "Compliance of the month"),
    "coverage.month.why": (
        "本月以来。按时率:可判定的巡查时段中没有超时的比例;可判定:巡查时段中有数据可判的比例。",
        "Since the month began. On time: of the duty time that could be judged, the share in "
        "which the zone was not overdue. Measured: the share of duty time that could be judged.",
    ),
    "coverage.by_zone": ("各片区覆盖率与目标", "Covered ratio against target"),
    "coverage.ratio": ("$zone", "$zone"),
    "coverage.ratio.why": (
        "当前考核时段内的覆盖率;时段开始时归零。虚线为目标。",
        "The covered ratio of the current window, which begins at zero; dashed: the target.",
    ),
    "alerts": ("告警处置", "Alerts"),
    "alerts.why": (
        "哪些告警未结、多久确认、多久销号、销号率多少。",
        "What is open, how fast it is acknowledged and closed, and how much of it.",
    ),
    "alerts.open_count": ("未结告警", "Open alerts"),
    "alerts.open_count.why": (
        "此刻未结的告警(近 90 天内发生)。",
        "Alerts that are open now, of those raised in the last 90 days.",
    ),
    "alerts.open_count.none": ("0", "0"),
    "alerts.raised": ("发生", "Raised"),
    "alerts.raised.why": ("所选时段内发生的告警。", "Alerts raised in the time range."),
    "alerts.raised.none": ("0", "0"),
    "alerts.closed": ("销号", "Closed"),
    "alerts.closed.why": ("所选时段内销号的告警。", "Alerts closed in the time range."),
    "alerts.closed.none": ("0", "0"),
    "alerts.closing_rate": ("销号率", "Closing rate"),
    "alerts.closing_rate.why": (
        "所选时段内销号数 ÷ 发生数。此前发生、此时销号的也计入,所以可能超过 100%。",
        "Closed ÷ raised in the time range. What was raised before and closed in it counts too, "
        "so it can be over 100 %.",
    ),
    "alerts.closing_rate.none": ("–", "–"),
    "alerts.acknowledged_after": ("确认用时(中位)", "Time to acknowledge (median)"),
    "alerts.acknowledged_after.why": (
        "从告警发生(或再次发生)到有人确认。",
        "From when an alert was raised, or came back, to when somebody took it.",
    ),
    "alerts.acknowledged_after.none": ("–", "–"),
    "alerts.closed_after": ("销号用时(中位)", "Time to close (median)"),
    "alerts.closed_after.why": (
        "从告警发生到销号。",
        "From when an alert was raised to when it was closed.",
    ),
    "alerts.closed_after.none": ("–", "–"),
    "alerts.open_list": ("未结告警(最早的在前)", "Open alerts, the oldest first"),
    "alerts.open_list.why": (
        "近 90 天内发生、至今未结的告警,及其最后一次变更。",
        "What was raised in the last 90 days and is still open, with its last change.",
    ),
    "alerts.open_list.none": ("没有未结告警", "No open alerts"),
    "alerts.answer": ("处置效率", "How they are answered"),
    "alerts.by_day": ("每日发生与销号", "Raised and closed by day"),
    "alerts.by_day.why": (
        "发生长期多于销号,积压就在增加。",
        "When more are raised than closed for long, they pile up.",
    ),
    "alerts.by_day.none": ("所选时段没有告警", "No alerts in this time range"),
    "alerts.times": ("每日处置用时(中位)", "Times by day (median)"),
    "alerts.times.why": (
        "按当日完成的告警计:多久有人确认、多久巡到、多久销号。",
        "Of what was done that day: how long until somebody took the alert, until a patrol had "
        "been there, until it was closed.",
    ),
    "alerts.times.none": ("所选时段没有告警", "No alerts in this time range"),
    "alerts.by_zone": ("按片区", "By zone"),
    "alerts.by_zone.why": (
        "哪些片区告警多,处置得怎样。没有片区的告警与车辆或厂商有关。",
        "Which zones alarm most, and how they are answered. Alerts without a zone are about a "
        "bike or a vendor.",
    ),
    "alerts.by_zone.none": ("所选时段没有告警", "No alerts in this time range"),
    "alerts.by_rule": ("按规则", "By rule"),
    "alerts.by_rule.why": (
        "哪些规则告警多,处置得怎样。",
        "Which rules alarm most, and how they are answered.",
    ),
    "alerts.by_rule.none": ("所选时段没有告警", "No alerts in this time range"),
    "alerts.record": ("处置记录", "Record"),
    "alerts.record.why": (
        "谁在何时做了什么、为什么;最新的在前,最多 500 条。",
        "Who did what, when and why; the newest first, at most 500.",
    ),
    "alerts.record.none": ("所选时段没有告警", "No alerts in this time range"),
    "ingest": ("接入健康", "Ingest health"),
    "ingest.why": (
        "数据到齐了吗、晚了多久、拒收了什么、为什么。",
        "Does everything arrive, how late, what is refused and why.",
    ),
    "ingest.rate_now": ("接入速率", "Intake"),
    "ingest.rate_now.why": ("最近一个时间格的平均。", "Mean of the last interval."),
    "ingest.lag_now": ("当前滞后", "Lag now"),
    "ingest.lag_now.why": (
        "最早一条尚未计入覆盖的报文已有多久。超过 2 分钟,所有片区变为“无法判定”。",
        "Age of the oldest message that the coverage does not hold yet. Over two minutes, all "
        "zones become unknown.",
    ),
    "ingest.depth_now": ("当前待处理报文", "Messages waiting now"),
    "ingest.depth_now.why": (
        "日志里还没有被读完的报文。持续增长说明有存储跟不上或已停。",
        "Messages in the log that some reader has yet to read. When it grows, a store is slow or "
        "away; nothing is lost.",
    ),
    "ingest.rejected_share": ("拒收比例", "Share rejected"),
    "ingest.rejected_share.why": (
        "所选时段内拒收数 ÷ 收到数。",
        "Rejected ÷ received in the time range.",
    ),
    "ingest.parts": ("各部件状态", "State of the parts"),
    "ingest.parts.why": (
        "接入、日志、存档等各部件何时正常。InfluxDB 离线期间的数据会在恢复后补上。",
        "When each part worked: inlet, log, archive, alert book, the copy to InfluxDB. What "
        "happened while InfluxDB was away is filled in once it is back.",
    ),
    "ingest.rate": ("收到、入库、重复与拒收", "Received, stored, duplicates, rejected"),
    "ingest.rate.why": (
        "收到应等于入库加拒收。",
        "What is received is either stored or rejected; duplicates are among the stored.",
    ),
    "ingest.lag": ("处理滞后", "Lag"),
    "ingest.lag.why": (
        "每个时间格的最大值。虚线:10 秒、2 分钟。",
        "The largest of each interval. Dashed: 10 seconds, 2 minutes.",
    ),
    "ingest.depth": ("待处理报文", "Messages waiting"),
    "ingest.depth.why": (
        "每个时间格的最大值。",
        "The largest of each interval.",
    ),
    "ingest.vendors": ("厂商数据质量", "What vendors send"),
    "ingest.rejects": ("拒收原因", "Rejected, by reason"),
    "ingest.rejects.why": (
        "拒收的报文不影响其他报文;原因会发回给厂商。",
        "A rejected message blocks nothing; why it was is sent back to the vendor.",
    ),
    "ingest.rejects.none": ("所选时段没有拒收", "Nothing was rejected in this time range"),
    "ingest.rejects_by_vendor": ("按厂商与原因", "By vendor and reason"),
    "ingest.rejects_by_vendor.why": (
        "谁的报文被拒收、为什么、多少。",
        "Whose messages were rejected, why, and how many.",
    ),
    "ingest.rejects_by_vendor.none": (
        "所选时段没有拒收",
        "Nothing was rejected in this time range",
    ),
    "ingest.verdicts": ("定位质量", "Quality of fixes"),
    "ingest.verdicts.why": (
        "只有“有效”的定位计入覆盖;其余照样保存,并注明原因。",
        "Only good fixes give coverage. The others are kept all the same, with the reason.",
    ),
    "ingest.sampling": ("各厂商上报间隔", "Reporting interval by vendor"),
    "ingest.sampling.why": (
        "同一辆车相邻两次定位的间隔。",
        "Between two fixes of one bike, one after the other.",
    ),
}
