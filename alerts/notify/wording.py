"""What is written to people, in Chinese or English."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from alerts.notify import Notice

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
    },
}
_RULES: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "zone_unpatrolled": "超时未巡查",
        "coverage_short": "覆盖率未达标",
        "telemetry_silent": "无车辆数据",
    },
    "en": {
        "zone_unpatrolled": "not patrolled in time",
        "coverage_short": "coverage below target",
        "telemetry_silent": "no telemetry",
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
        "zone_removed": "该片区已不在配置中。",
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
        "zone_removed": "The zone is no longer configured.",
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
        self._language = language
        self._tz = tz
        self._names = names or {}

    def of(self, notice: Notice) -> Text:
        """Title and body of a notice."""
        alert, row = notice
        language = self._language
        subject = self._names.get(alert.zone_id or "", alert.zone_id or alert.bike or "")
        event = _EVENTS[language][row.event]
        rule = _RULES[language].get(alert.rule, alert.rule)
        system = "智巡" if language == "zh" else "Zhixun"
        parts = [self._reason(row.reason, row.evidence, row.actor)]
        if "bike" in row.evidence and isinstance(row.evidence.get("at_ms"), int):
            at = self._time(row.evidence["at_ms"])
            parts.append(_VISIT[language].format(bike=row.evidence["bike"], at=at))
        parts.append(_LINE[language].format(at=self._time(row.at_ms), alert_id=alert.alert_id))
        title = f"【{system}】{event}:{subject} {rule}"
        if language == "en":
            title = f"[{system}] {event}: {subject} {rule}"
        good = row.to_state in ("returned", "closed", "voided")
        alarm = row.event in ("activate", "reopen", "unshelve")
        kind: Literal["failure", "success", "info"] = (
            "success" if good else "failure" if alarm else "info"
        )
        return Text(title, "\n".join(part for part in parts if part), kind)

    def _reason(self, reason: str, evidence: Mapping[str, object], actor: str) -> str:
        if actor != "system":
            return _BY[self._language].format(actor=actor, reason=reason)
        template = _REASONS[self._language].get(reason)
        if template is None:
            return reason
        values = {
            key: self._duration(value) if key.endswith("_s") else value
            for key, value in evidence.items()
        }
        try:
            return template.format(**values)
        except KeyError:  # an older book may lack a value: better a plain word than nothing
            return reason

    def _duration(self, seconds: object) -> str:
        minutes = round(float(seconds) / 60) if isinstance(seconds, int | float) else 0
        hours, minutes = divmod(minutes, 60)
        if self._language == "zh":
            return (f"{hours}小时" if hours else "") + (
                f"{minutes}分钟" if minutes or not hours else ""
            )
        return " ".join(
            ([f"{hours} h"] if hours else []) + ([f"{minutes} min"] if minutes or not hours else [])
        )

    def _time(self, at_ms: object) -> str:
        if not isinstance(at_ms, int):
            return ""
        at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._tz)
        return f"{at:%Y-%m-%d %H:%M}"
