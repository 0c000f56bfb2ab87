"""A zone whose policy changes with its versions: what holds when."""

from __future__ import annotations

from alerts.plan import GONE, Policies
from tests.alerts.district import POLICY, SHANGHAI, at

SECTIONS = {"core": POLICY, "edge": {**POLICY, "frequency": "4h", "target": 0.5}}
DRIVE = {"drive": {"zones": ["Z01"], "from": "2026-11-24", "to": "2026-11-26", "frequency": "1h"}}


def plans(zones: dict[str, object], **campaigns: dict[str, object]) -> Policies:
    return Policies.parse(zones, SECTIONS, SHANGHAI, campaigns=campaigns)


def test_each_version_has_its_policy() -> None:
    """From its first instant on; the first holds before that as well."""
    plan = plans({"Z01": [(0, "core"), (at("25 12:00"), "edge")]}).plan("Z01")
    found = [plan.policy_at(at(when)).name for when in ("23 09:00", "25 11:59", "25 12:00")]
    assert found == ["core", "core", "edge"]
    (window,) = plan.windows_ended(at("25 17:00"), at("25 19:00"))
    assert window.policy.target == 0.5


def test_a_campaign_lies_over_all_versions() -> None:
    """It changes what it changes of whichever policy is in force."""
    policies = plans({"Z01": [(0, "core"), (at("25 12:00"), "edge")]}, **DRIVE)
    plan = policies.plan("Z01")
    seen = [
        (plan.policy_at(at(when)).frequency_s // 3600, plan.policy_at(at(when)).target)
        for when in ("23 09:00", "24 09:00", "25 12:00", "27 09:00")
    ]
    assert seen == [(2, 0.8), (1, 0.8), (1, 0.5), (4, 0.5)]


def test_a_zone_that_is_not_there_has_no_duty() -> None:
    """Neither before it begins, nor after it has ended; nor has the district because of it."""
    policies = plans({"Z01": [(0, None), (at("24 12:00"), "core"), (at("25 12:00"), None)]})
    plan = policies.plan("Z01")
    on = [plan.on_duty(at(when)) for when in ("24 11:59", "24 12:00", "25 11:59", "25 12:00")]
    assert on == [False, True, True, False]
    assert plan.duty_s(at("23 00:00"), at("27 00:00")) == (6 + 4) * 3600
    assert plan.policy_at(at("26 09:00")).paused == GONE
    assert not policies.on_duty(at("26 09:00"))


def test_zones_that_change_alike_share_a_plan() -> None:
    """So windows are worked out once for them."""
    same = [(0, "core"), (at("25 12:00"), "edge")]
    policies = plans({"Z01": same, "Z02": list(same), "Z03": "core"})
    assert policies.plan("Z01") is policies.plan("Z02")
    assert policies.plan("Z03") is not policies.plan("Z01")
