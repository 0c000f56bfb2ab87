"""Bulletins in words, in Chinese or English: reminder, supervision, monthly bulletin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from alerts.bulletin import Bulletin, OpenAlert, Tally
from alerts.notify.wording import Language, Text, Wording
from alerts.periods import Kind

MAX_LINES: Final = 40
"""How many open alerts are written out; the rest is counted."""
LATE_MS: Final = 3_600_000
"""A bulletin that is made so long after it was due says so [ms]."""

_TITLES: Mapping[Language, Mapping[Kind, str]] = {
    "zh": {
        "daily": "【智巡】每日催办 {day}:{open} 项未销号",
        "weekly": "【智巡】每周督办 {period}:{open} 项未销号",
        "monthly": "【智巡】每月通报 {period}",
    },
    "en": {
        "daily": "[Zhixun] Daily reminder {day}: {open} open",
        "weekly": "[Zhixun] Weekly supervision {period}: {open} open",
        "monthly": "[Zhixun] Monthly bulletin {period}",
    },
}
_WORDS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "open": "未销号:",
        "none": "没有未销号的告警。",
        "line": "· {alert_id} {subject} {rule},{opened} 起,{state}",
        "acknowledged": "已由 {who} 确认",
        "assigned": "已派 {who}",
        "active": "无人确认",
        "returned": "已恢复,待核实销号",
        "more": "……另有 {count} 项。",
        "paused": "暂停巡查,不催办:{count} 项({detail})。",
        "off_duty": "当日无巡查任务,不催办:{count} 项。",
        "shelved": "已搁置:{count} 项。",
        "total": "{period} 告警 {raised} 项,已销号 {closed} 项,销号率 {rate}。",
        "by_zone": "按片区:",
        "by_rule": "按类别:",
        "tally": "· {name}:告警 {raised},销号 {closed},销号率 {rate}",
        "voided": "补传数据撤销 {voided} 项,不计入。",
        "coverage": "覆盖:",
        "covered": "· {name}:覆盖 {covered}/{total} 格({ratio}),"
        "{windows} 个时段中 {reached} 个达标",
        "missed": "此前有 {missed} 次未能按时发出,一并在此。",
        "late": "本应于 {due} 发出。",
    },
    "en": {
        "open": "Open:",
        "none": "Nothing is open.",
        "line": "- {alert_id} {subject} {rule}, since {opened}, {state}",
        "acknowledged": "acknowledged by {who}",
        "assigned": "{who} goes there",
        "active": "acknowledged by nobody",
        "returned": "over, to be verified and closed",
        "more": "... and {count} more.",
        "paused": "Not reminded of, patrols are paused: {count} ({detail}).",
        "off_duty": "Not reminded of, no duty today: {count}.",
        "shelved": "Shelved: {count}.",
        "total": "{period}: {raised} raised, {closed} closed, closing rate {rate}.",
        "by_zone": "By zone:",
        "by_rule": "By rule:",
        "tally": "- {name}: {raised} raised, {closed} closed, {rate}",
        "voided": "Voided by late telemetry and not counted: {voided}.",
        "coverage": "Coverage:",
        "covered": "- {name}: {covered} of {total} cells ({ratio}), "
        "{reached} of {windows} windows reached their target",
        "missed": "{missed} before it could not be sent in time; this one stands for them.",
        "late": "It was due at {due}.",
    },
}


def bulletin_text(bulletin: Bulletin, wording: Wording) -> Text:
    """Title and body of a bulletin."""
    words = _WORDS[wording.language]
    title = _TITLES[wording.language][bulletin.kind].format(
        day=wording.time(bulletin.made_at_ms)[:10],
        period=bulletin.period,
        open=len(bulletin.open),
    )
    parts = [_open(bulletin, wording, words), _figures(bulletin, wording, words)]
    if bulletin.kind == "monthly":
        parts.reverse()
    lines = [*parts[0], *parts[1]]
    if bulletin.missed:
        lines.append(words["missed"].format(missed=bulletin.missed))
    if bulletin.due_ms is not None and bulletin.made_at_ms - bulletin.due_ms > LATE_MS:
        lines.append(words["late"].format(due=wording.time(bulletin.due_ms)))
    return Text(title, "\n".join(lines), "info")


def _open(bulletin: Bulletin, wording: Wording, words: Mapping[str, str]) -> Iterator[str]:
    yield words["open"] if bulletin.open else words["none"]
    for alert in bulletin.open[:MAX_LINES]:
        yield words["line"].format(
            alert_id=alert.alert_id,
            subject=wording.subject(alert.subject_id),
            rule=wording.rule(alert.rule),
            opened=wording.time(alert.opened_at_ms),
            state=_state(alert, words),
        )
    if len(bulletin.open) > MAX_LINES:
        yield words["more"].format(count=len(bulletin.open) - MAX_LINES)
    for held in bulletin.suppressed:
        yield words[held.reason].format(count=len(held.alerts), detail=held.detail)


def _state(alert: OpenAlert, words: Mapping[str, str]) -> str:
    if alert.state == "returned":
        return words["returned"]
    if alert.assigned_to:
        return words["assigned"].format(who=alert.assigned_to)
    if alert.acknowledged_by:
        return words["acknowledged"].format(who=alert.acknowledged_by)
    return words["active"]


def _figures(bulletin: Bulletin, wording: Wording, words: Mapping[str, str]) -> Iterator[str]:
    yield words["total"].format(period=bulletin.period, **_tally(bulletin.total))
    if bulletin.total.voided:
        yield words["voided"].format(voided=bulletin.total.voided)
    if bulletin.kind != "daily":
        if bulletin.by_zone:
            yield words["by_zone"]
        for zone_id, tally in bulletin.by_zone.items():
            yield words["tally"].format(name=wording.subject(zone_id), **_tally(tally))
        if bulletin.by_rule:
            yield words["by_rule"]
        for rule, tally in bulletin.by_rule.items():
            yield words["tally"].format(name=wording.rule(rule), **_tally(tally))
    if bulletin.coverage:
        yield words["coverage"]
    for zone in bulletin.coverage:
        yield words["covered"].format(
            name=wording.subject(zone.zone_id),
            covered=zone.cells_covered,
            total=zone.cells_total,
            ratio=f"{zone.cells_covered / zone.cells_total:.1%}" if zone.cells_total else "–",
            windows=zone.windows,
            reached=zone.reached,
        )


def _tally(tally: Tally) -> dict[str, object]:
    rate = tally.rate
    shown = "–" if rate is None else f"{rate:.1%}"
    return {"raised": tally.raised, "closed": tally.closed, "rate": shown}
