"""Bulletins in words, in Chinese or English: reminder, supervision, monthly bulletin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from alerts.bulletin import Bulletin, OpenAlert, Tally
from alerts.notify.wording import Text, Wording
from alerts.rules import contract
from words.catalogue import word

MAX_LINES: Final = 40
"""Open alerts that are written out; the others are counted."""
LATE_MS: Final = 3_600_000
"""A bulletin that is made so long after it was due says so [ms]."""


def bulletin_text(bulletin: Bulletin, wording: Wording) -> Text:
    """Title and body of a bulletin."""
    head = "bulletin.line."
    words = {key[len(head) :]: text for key, text in wording.say.items() if key.startswith(head)}
    title = wording.say[f"bulletin.{bulletin.kind}"].format(
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
        text = words["covered"].format(
            name=wording.subject(zone.zone_id),
            covered=zone.cells_covered,
            total=zone.cells_total,
            ratio=f"{zone.cells_covered / zone.cells_total:.1%}" if zone.cells_total else "–",
            windows=zone.windows,
            reached=zone.reached,
        )
        if zone.short:
            text += words["short"].format(count=zone.short)
        for reason, count in zone.unknown.items():
            why = word(contract(), "reason", reason, wording.language)
            text += words["unknown"].format(count=count, why=why)
        yield text


def _tally(tally: Tally) -> dict[str, object]:
    rate = tally.rate
    shown = "–" if rate is None else f"{rate:.1%}"
    return {"raised": tally.raised, "closed": tally.closed, "rate": shown}
