"""The alert rules, one module each, and the one place in which they are listed."""

from __future__ import annotations

from functools import cache
from typing import Final

from alerts.rules import (
    bike_battery_low,
    bike_offline,
    bike_outside_district,
    coverage_at_risk,
    coverage_short,
    line_broken,
    look_back_due,
    telemetry_silent,
    vendor_rejects,
    vendor_silent,
    zone_unpatrolled,
)
from alerts.rules.registry import Registry
from words import catalogue
from words.catalogue import Entries

RULES: Final = Registry(
    [
        telemetry_silent.RULE,
        zone_unpatrolled.RULE,
        coverage_short.RULE,
        coverage_at_risk.RULE,
        look_back_due.RULE,
        line_broken.RULE,
        bike_offline.RULE,
        bike_battery_low.RULE,
        bike_outside_district.RULE,
        vendor_rejects.RULE,
        vendor_silent.RULE,
    ]
)
"""All rules, in the order in which they are listed to people."""


@cache
def contract() -> Entries:
    """The words of the contract, those of the rules among them."""
    return {**catalogue.contract(), **RULES.words()}
