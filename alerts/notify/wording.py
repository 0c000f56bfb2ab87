"""What is written to people, in Chinese or English."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from alerts.alert import Notice

Language = Literal["zh", "en"]

_EVENTS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "activate": "告警",
        "reopen": "再次告警",
        "unshelve": "恢复告警",
        "acknowledge": "已确认",
        "assign": "已派人",
        "note": "备注",
        "return": "已恢复",
        "unshelve_returned": "已恢复",
        "shelve": "已搁置",
        "close": "已销号",
        "void": "已撤销",
        "escalate": "升级告警",
        "undo": "“{event}”已撤回",
    },
    "en": {
        "activate": "Alert",
        "reopen": "Alert again",
        "unshelve": "Alert is back",
        "acknowledge": "Acknowledged",
        "assign": "Assigned",
        "note": "Note",
        "return": "Returned",
        "unshelve_returned": "Returned",
        "shelve": "Shelved",
        "close": "Closed",
        "void": "Voided",
        "escalate": "Escalated",
        "undo": "“{event}” taken back",
    },
}
_RULES: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "zone_unpatrolled": "超时未巡查",
        "coverage_short": "覆盖率未达标",
        "coverage_at_risk": "覆盖率恐不达标",
        "look_back_due": "逾期未回头看",
        "telemetry_silent": "无车辆数据",
        "bike_offline": "车辆离线",
        "bike_battery_low": "车辆电量低",
        "bike_outside_district": "车辆驶出辖区",
        "vendor_rejects": "厂商报文异常",
    },
    "en": {
        "zone_unpatrolled": "not patrolled in time",
        "coverage_short": "coverage below target",
        "coverage_at_risk": "coverage at risk",
        "look_back_due": "look-back is due",
        "telemetry_silent": "no telemetry",
        "bike_offline": "is offline",
        "bike_battery_low": "has a low battery",
        "bike_outside_district": "is outside the district",
        "vendor_rejects": "messages are rejected",
    },
}
_REASONS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "idle_over_frequency": "已{idle_s}未巡查(仅计巡查时段),要求每{frequency_s}一次。",
        "window_short": "覆盖 {cells_covered}/{cells_total} 格,要求 {cells_needed} 格。",
        "telemetry_silent": "已{silence_s}未收到任何车辆数据,无法判断是否巡查。",
        "patrolled": "该片区已巡查。",
        "made_up": "后续时段已达标:{cells_covered}/{cells_total} 格。",
        "heard_again": "已重新收到车辆数据。",
        "late_telemetry": "补传数据表明当时已巡查,原告警不成立。",
        "policy_edited": "巡查要求已修改为每{frequency_s}一次,按此原告警不成立。",
        "not_patrolled_since": "要求已放宽为每{frequency_s}一次,但告警后尚无人巡查。",
        "zone_removed": "该片区已不在配置中。",
        "forecast_short": "已覆盖 {cells_covered}/{cells_total} 格,要求 {cells_needed} 格;"
        "按目前进度到 {window_to_ms} 只能完成约 {cells_expected} 格。",
        "forecast_fine": "按目前进度可以达标。",
        "target_reached": "已达标:{cells_covered}/{cells_total} 格。",
        "superseded": "本时段已结束且未达标,另行告警。",
        "not_judged": "本时段已结束,无法判断是否达标。",
        "not_looked_back": "{closed_at_ms} 销号后应在 {due_ms} 前回头看,尚未再次巡查。",
        "looked_back": "已回头看。",
        "bike_silent": "已{silence_s}未收到该车任何数据(仅计巡查时段),最后一次为 {last_heard_ms}。",
        "forgotten": "长期未收到该车数据,不再计入。",
        "battery_low": "电量 {battery_percent:g}%,不高于 {limit_percent:g}%。",
        "charged": "电量已恢复到 {battery_percent:g}%。",
        "outside": "{fix_ms} 位于所有片区之外约 {outside_m} 米,限值 {limit_m:g} 米。",
        "back_inside": "已回到辖区。",
        "rejects": "最近{period_s}收到 {received} 条,拒收 {rejected} 条({share_percent:g}%),"
        "限值 {limit_percent:g}%。",
        "few_rejects": "最近{period_s}拒收率已降至 {share_percent:g}%。",
        "vendor_removed": "该厂商已不在配置中。",
        "unacknowledged": "已{waited_s}无人确认(仅计巡查时段),请督促处理。",
    },
    "en": {
        "idle_over_frequency": "No patrol for {idle_s} of patrol hours; one is due every "
        "{frequency_s}.",
        "window_short": "{cells_covered} of {cells_total} cells covered, {cells_needed} needed.",
        "telemetry_silent": "No bike has sent telemetry for {silence_s}: nobody can tell "
        "whether the zone is patrolled.",
        "patrolled": "The zone has been patrolled.",
        "made_up": "A later window reached its target: {cells_covered} of {cells_total} cells.",
        "heard_again": "Telemetry has come again.",
        "late_telemetry": "Late telemetry shows that it was patrolled at the time.",
        "policy_edited": "The policy was edited: a patrol is due every {frequency_s}, and by that "
        "it was not late.",
        "not_patrolled_since": "A patrol is due every {frequency_s} only by now, but none has come "
        "since the alert.",
        "zone_removed": "The zone is no longer configured.",
        "forecast_short": "{cells_covered} of {cells_total} cells covered, {cells_needed} needed; "
        "at this rate about {cells_expected} by {window_to_ms}.",
        "forecast_fine": "At this rate the target will be reached.",
        "target_reached": "The target is reached: {cells_covered} of {cells_total} cells.",
        "superseded": "The window has ended below target; another alert says so.",
        "not_judged": "The window has ended, and nobody can tell whether it reached its target.",
        "not_looked_back": "Closed at {closed_at_ms}; to be patrolled again by {due_ms}, and was "
        "not.",
        "looked_back": "The zone has been patrolled again.",
        "bike_silent": "Nothing was heard of it for {silence_s} of patrol hours, since "
        "{last_heard_ms}.",
        "forgotten": "It was not heard for so long that it is no longer counted.",
        "battery_low": "Its battery is at {battery_percent:g} %, the limit is {limit_percent:g} %.",
        "charged": "Its battery is at {battery_percent:g} % again.",
        "outside": "At {fix_ms} it was about {outside_m} m outside all zones; the limit is "
        "{limit_m:g} m.",
        "back_inside": "It is back in the district.",
        "rejects": "{rejected} of {received} messages of the last {period_s} were rejected "
        "({share_percent:g} %); the limit is {limit_percent:g} %.",
        "few_rejects": "Of the last {period_s} only {share_percent:g} % were rejected.",
        "vendor_removed": "The vendor is no longer configured.",
        "unacknowledged": "Nobody has acknowledged it for {waited_s} of patrol hours.",
    },
}
_VISIT = {"zh": "车辆 {bike},{at}。", "en": "Bike {bike}, {at}."}
_LINE = {"zh": "{at} · 编号 {alert_id}", "en": "{at} · {alert_id}"}
_BY = {"zh": "操作人:{actor}。{reason}", "en": "By {actor}. {reason}"}


class Text(NamedTuple):
    """A notification for people; `kind` is Apprise's type."""

    title: str
    body: str
    kind: Literal["failure", "success", "info"]


class Wording:
    """Puts notices into words.

    Parameters
    ----------
    language : {"zh", "en"}
        Which words.
    tz : ZoneInfo
        The zone in which times are written.
    names : mapping of str to str
        Names of zones by id, in that language.
    """

    def __init__(
        self, language: Language, tz: ZoneInfo, names: Mapping[str, str] | None = None
    ) -> None:
        self.language: Language = language
        self._tz = tz
        self._names = names or {}

    def of(self, notice: Notice) -> Text:
        """Title and body of a notice."""
        alert, row = notice
        language = self.language
        subject = self.subject(alert.subject_id)
        event = _EVENTS[language][row.event].format(event=_EVENTS[language][row.news])
        rule = self.rule(alert.rule)
        system = "智巡" if language == "zh" else "Zhixun"
        parts = [self._reason(row.reason, row.evidence, row.actor)]
        if "bike" in row.evidence and isinstance(row.evidence.get("at_ms"), int):
            at = self.time(row.evidence["at_ms"])
            parts.append(_VISIT[language].format(bike=row.evidence["bike"], at=at))
        parts.append(_LINE[language].format(at=self.time(row.at_ms), alert_id=alert.alert_id))
        title = f"【{system}】{event}:{subject} {rule}"
        if language == "en":
            title = f"[{system}] {event}: {subject} {rule}"
        good = row.event != "undo" and row.to_state in ("returned", "closed", "voided")
        alarm = row.event in ("activate", "reopen", "unshelve", "escalate")
        kind: Literal["failure", "success", "info"] = (
            "success" if good else "failure" if alarm else "info"
        )
        return Text(title, "\n".join(part for part in parts if part), kind)

    def subject(self, subject_id: str) -> str:
        """The name of a zone; bikes and vendors are called what they are."""
        return self._names.get(subject_id, subject_id)

    def rule(self, rule: str) -> str:
        """What a rule is called."""
        return _RULES[self.language].get(rule, rule)

    def time(self, at_ms: object) -> str:
        """A time on the district's clock."""
        if not isinstance(at_ms, int):
            return ""
        at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._tz)
        return f"{at:%Y-%m-%d %H:%M}"

    def _reason(self, reason: str, evidence: Mapping[str, object], actor: str) -> str:
        if actor != "system":
            return _BY[self.language].format(actor=actor, reason=reason)
        template = _REASONS[self.language].get(reason)
        if template is None:
            return reason
        values = {
            key: self._duration(value)
            if key.endswith("_s")
            else self.time(value)
            if key.endswith("_ms")
            else value
            for key, value in evidence.items()
        }
        try:
            return template.format(**values)
        # An older book may lack a value, or have another kind: better a plain word than nothing.
        except (KeyError, ValueError):
            return reason

    def _duration(self, seconds: object) -> str:
        minutes = round(float(seconds) / 60) if isinstance(seconds, int | float) else 0
        hours, minutes = divmod(minutes, 60)
        if self.language == "zh":
            return (f"{hours}小时" if hours else "") + (
                f"{minutes}分钟" if minutes or not hours else ""
            )
        return " ".join(
            ([f"{hours} h"] if hours else []) + ([f"{minutes} min"] if minutes or not hours else [])
        )
