"""Notices and bulletins to people in words, in Chinese or English."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from alerts.alert import Notice, Transition
from alerts.bulletin import Bulletin, OpenAlert, Tally
from alerts.rules import RULES, contract
from alerts.rules.registry import Registry
from geofence.atlas import Atlas
from words.catalogue import Entries, Language, read, texts, word
from words.times import HOUR_MS

MAX_LINES: Final = 40
"""Open alerts that are written out; the others are counted."""
LATE_MS: Final = HOUR_MS
"""A bulletin that is made so long after it was due says so [ms]."""


@cache
def phrases() -> Entries:
    """The sentences of notices and bulletins, with places for their values."""
    return read(files("alerts.notify") / "phrases")


class Text(NamedTuple):
    """A notification for people; `kind` is Apprise's type."""

    title: str
    body: str
    kind: Literal["failure", "success", "info"]


@dataclass(frozen=True)
class ZoneNames(Mapping[str, str]):
    """Names by zone id: as they are now, or were last; of one that is to come, as it will be."""

    atlas: Atlas
    language: Language  # `name_zh` counts in Chinese only
    now_ms: Callable[[], int]  # the clock

    def __getitem__(self, zone_id: str) -> str:
        now_ms = self.now_ms()
        versions = [z for z in self.atlas.layout.zones.zones if z.zone_id == zone_id]
        begun = [z for z in versions if z.valid_from_ms is None or z.valid_from_ms <= now_ms]
        if not versions:
            raise KeyError(zone_id)
        zone = begun[-1] if begun else versions[0]
        return (zone.name_zh if self.language == "zh" else None) or zone.name

    def __iter__(self) -> Iterator[str]:
        return iter(self.atlas.layout.zone_ids)

    def __len__(self) -> int:
        return len(self.atlas.layout.zone_ids)


class Wording:
    """Puts notices into words."""

    def __init__(
        self,
        language: Language,
        tz: ZoneInfo,  # in which times are written
        names: Mapping[str, str] | None = None,  # of zones by id, in that language
        rules: Registry = RULES,
    ) -> None:
        self.language: Language = language
        self._tz = tz
        self.say: Mapping[str, str] = texts({**phrases(), **rules.sentences()}, language)
        self._rules = texts(rules.words(), language)
        self._names = names or {}

    def of(self, *notices: Notice, count: int = 1) -> Text:
        """Title and body of one message about `count` notices of one rule and transition.

        `notices` are the first of them: of more than one, it says where the others are.
        """
        (alert, row), say = notices[0], self.say
        at, subject = self.time(row.at_ms), self.subject(alert.subject_id)
        if count == 1:
            lines = [*self._why(row), say["line"].format(at=at, alert_id=alert.alert_id)]
        else:
            lines = [
                say["group.one"].format(
                    subject=self.subject(each.subject_id),
                    alert_id=each.alert_id,
                    why=" ".join(self._why(its_row)),
                )
                for each, its_row in notices
            ]
            if count > len(notices):
                lines.append(say["bulletin.line.more"].format(count=count - len(notices)))
            lines.append(say["group.where"].format(at=at))
            subject = say["group.count"].format(count=count)
        event = say[f"event.{row.event}"].format(event=say[f"event.{row.news}"])
        title = say["title"].format(event=event, subject=subject, rule=self.rule(alert.rule))
        good = row.event != "undo" and row.to_state in ("returned", "closed", "voided")
        alarm = row.event in ("activate", "reopen", "unshelve", "escalate")
        body = "\n".join(lines)
        return Text(title, body, "success" if good else "failure" if alarm else "info")

    def _why(self, row: Transition) -> Iterator[str]:
        if reason := self._reason(row.reason, row.evidence, row.actor):
            yield reason
        if "bike" in row.evidence and isinstance(row.evidence.get("at_ms"), int):
            at = self.time(row.evidence["at_ms"])
            yield self.say["visit"].format(bike=row.evidence["bike"], at=at)

    def subject(self, subject_id: str) -> str:
        """The name of a zone, or the id of a bike or vendor."""
        return self._names.get(subject_id, subject_id)

    def rule(self, rule: str) -> str:
        """The name of a rule; one that is not known is shown as it is."""
        return self._rules.get(f"rule.{rule}", rule)

    def time(self, at_ms: object) -> str:
        """A time on the district's clock."""
        if not isinstance(at_ms, int):
            return ""
        at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._tz)
        return f"{at:%Y-%m-%d %H:%M}"

    def _reason(self, reason: str, evidence: Mapping[str, object], actor: str) -> str:
        if actor != "system":
            return self.say["by"].format(actor=actor, reason=reason)
        template = self.say.get(f"sentence.{reason}")
        if template is None:
            return word(contract(), "reason", reason, self.language)
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
        # An older book may lack a value, or have another kind: the plain word needs none.
        except (KeyError, ValueError):
            return word(contract(), "reason", reason, self.language)

    def _duration(self, seconds: object) -> str:
        minutes = round(float(seconds) / 60) if isinstance(seconds, int | float) else 0
        hours, minutes = divmod(minutes, 60)
        shown = "minutes" if not hours else "hours_minutes" if minutes else "hours"
        return self.say[f"duration.{shown}"].format(h=hours, m=minutes)


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
