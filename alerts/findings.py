"""Findings of rules about conditions, and the steps of alerts that follow by themselves."""

from __future__ import annotations

from itertools import takewhile
from typing import Final, Literal, NamedTuple

from alerts.alert import AHEAD_MS, SYSTEM, Alert
from alerts.lifecycle import TABLE, Event


class Finding(NamedTuple):
    """The finding of a rule about its condition.

    ``hold``: true. ``clear``: false, proven by a visit. ``never``: late telemetry shows that
    it was never true. ``unknown``: nothing can be said (off duty, paused, no telemetry).
    """

    verdict: Literal["hold", "clear", "never", "unknown"]
    reason: str
    evidence: dict[str, object]


NOT_KNOWN: Final = Finding("unknown", "not_known", {})


class Step(NamedTuple):
    """A transition that is to be made."""

    event: Event
    reason: str
    evidence: dict[str, object]
    until_ms: int | None = None  # of ``shelve``


def undated(alert: Alert, now_ms: int) -> list[Step]:
    """The steps that take back what an evaluation did to an alert while the clock was ahead.

    It is raised again if its condition holds; one that was shelved waits for its time again.
    """
    limit_ms = now_ms + AHEAD_MS
    if alert.updated_at_ms <= limit_ms:
        return []
    later = list(takewhile(lambda row: row.at_ms > limit_ms, reversed(alert.standing)))
    first = next((row.event for row in reversed(later) if row.actor == SYSTEM), None)
    shelves = [row for row in alert.standing if row.event == "shelve"]
    if first in ("unshelve", "unshelve_returned") and (alert.state, "shelve") in TABLE and shelves:
        return [Step("shelve", "clock_set_back", shelves[-1].evidence, shelves[-1].until_ms)]
    if first in ("raise", "activate", "reopen", "unshelve"):
        return [Step("drop" if alert.state == "pending" else "void", "clock_set_back", {})]
    return []


def steps(
    alert: Alert | None,
    finding: Finding,
    now_ms: int,
    *,
    delay_s: float,
    hold_s: float,
    auto_close: bool,
) -> list[Step]:
    """The steps of the open alert of a key, or of none yet, that follow from a finding.

    The condition must be true for `delay_s` before an alert is active, which stays returned for
    `hold_s` before it closes, when `auto_close` is set.
    """
    state = alert.state if alert is not None else "none"
    verdict = finding.verdict

    def step(event: Event) -> Step:
        return Step(event, finding.reason, finding.evidence)

    if alert is None or state == "none":
        if verdict != "hold":
            return []
        return [step("raise")] if delay_s > 0 else [step("raise"), step("activate")]
    if state == "pending":
        if verdict != "hold":
            return [step("drop")]
        return [step("activate")] if now_ms - alert.opened_at_ms >= delay_s * 1000 else []
    if verdict == "never":
        return [step("void")]
    if state == "shelved":
        if now_ms < (alert.shelved_until_ms or 0):
            return []
        if verdict == "clear":
            return [step("unshelve_returned")]
        if verdict == "unknown" and alert.shelved_from == "returned":
            return [Step("unshelve_returned", *proof(alert))]
        return [step("unshelve")]
    if state == "returned":
        if verdict == "hold":
            return [step("reopen")]
        returned_ms = alert.returned_at_ms if alert.returned_at_ms is not None else now_ms
        if auto_close and not -AHEAD_MS <= now_ms - returned_ms < hold_s * 1000:
            return [Step("close", *proof(alert))]
        return []
    if verdict == "clear":
        at_once = auto_close and hold_s <= 0
        return [step("return"), step("close")] if at_once else [step("return")]
    return []


def proof(alert: Alert) -> tuple[str, dict[str, object]]:
    """Reason and evidence of the return of an alert, which close it too: which bike, when."""
    for row in reversed(alert.standing):
        if row.event in ("return", "unshelve_returned"):
            return row.reason, row.evidence
    return alert.reason, alert.evidence
