"""``vendor_silent``: most of a vendor's bikes are silent, which is one fault and not many."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.fleet import Fleet, Limits, Silence
from alerts.plan import Policies
from alerts.rules.cases import FleetCase
from alerts.rules.registry import Rule, Setting

DAY_S: Final = 86_400
"""A bike that was not heard for longer is away, and its silence no news [s]."""


def silent_vendors(
    fleet: Fleet, limits: Limits, policies: Policies, now_ms: int
) -> dict[str, Silence]:
    """Vendors of whose bikes so many, and so large a share, are silent at an instant [ms].

    Silence counts over duty time, as of a single bike.
    """
    after_s, least = limits["bike_offline_after_s"], limits["vendor_silent_min"]
    day_ms = now_ms - DAY_S * 1000
    if len(fleet.heard_between(day_ms, now_ms - round(after_s * 1000))) < least:
        return {}  # by the clock, which is cheaper to ask than duty time
    ages_s = range(round(after_s), DAY_S)
    enough = bisect_right(
        ages_s, after_s, key=lambda age_s: policies.duty_s(now_ms - age_s * 1000, now_ms)
    )
    silent = _by_vendor(fleet, day_ms, now_ms - (round(after_s) + enough) * 1000)
    heard = _by_vendor(fleet, day_ms, now_ms + DAY_S * 1000)  # the clock of a bike may be ahead
    return {
        vendor: Silence(number, heard[vendor])
        for vendor, number in silent.items()
        if number >= least and number > limits["vendor_silent_share"] * heard[vendor]
    }


def _by_vendor(fleet: Fleet, from_ms: int, to_ms: int) -> Counter[str]:
    return Counter(bike.partition("/")[0] for bike in fleet.heard_between(from_ms, to_ms))


def evaluate(case: FleetCase) -> Finding:
    """Find whether most of the vendor's bikes are silent."""
    found = case.silent.get(case.subject["vendor"])
    if found is not None:
        return Finding("hold", "bikes_silent", found._asdict())
    return Finding("clear", "bikes_heard", {}) if case.alert(RULE.name) else NOT_KNOWN


RULE: Final = Rule(
    name="vendor_silent",
    subject="vendor",
    severity="critical",
    delay_s=60,
    inhibited_by=("pipeline_behind", "off_duty", "telemetry_silent"),
    settings=(
        Setting("vendor_silent_min", 50, {"ge": 2}),
        Setting("vendor_silent_share", 0.5, {"gt": 0, "lt": 1}),
    ),
    evaluate=evaluate,
)
