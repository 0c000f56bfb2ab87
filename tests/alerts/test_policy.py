"""Policies and campaigns as written in the configuration."""

from __future__ import annotations

import pytest

from alerts.errors import PolicyError
from alerts.plan import Policies
from alerts.policy import parse_policy
from words.times import duration_s

from .district import POLICY, SHANGHAI, at


def test_a_policy_with_everything() -> None:
    policy = parse_policy(
        "core",
        {
            **POLICY,
            "frequency": "1h30m",
            "look_back": "24h",
            "min_cell_m": 15,
            "auto_close": False,
            "close_hold": "5m",
        },
        SHANGHAI,
    )
    assert (policy.frequency_s, policy.look_back_s, policy.close_hold_s) == (5400, 86_400, 300)
    assert (policy.min_cell_m, policy.auto_close, policy.min_cells) == (15.0, False, 5)
    assert policy.hours.contains(at("23 12:00"))


def test_defaults_are_always_on_duty_and_closing_by_itself() -> None:
    policy = parse_policy("core", {"frequency": 3600, "target": 1, "window": "day"}, SHANGHAI)
    assert (policy.min_cells, policy.min_cell_m, policy.auto_close) == (5, 20.0, True)
    assert policy.hours.duty_s(at("23 00:00"), at("24 00:00")) == 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("1h30m", 5400), ("90s", 90), ("45min", 2700), ("1d", 86_400), (60, 60)],
)
def test_durations(text, seconds) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2 hours", "-1h", -1, 1.5, True, None])
def test_what_is_not_a_duration(text) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration_s(text)


@pytest.mark.parametrize("long", ["3661d", 10**12, "9999999999s"])
def test_a_duration_is_ten_years_at_most(long) -> None:
    with pytest.raises(ValueError, match="longer than ten years"):
        duration_s(long)


def test_all_mistakes_are_reported_at_once_each_with_its_key() -> None:
    with pytest.raises(PolicyError) as wrong:
        Policies.parse(
            {"Z01": "core", "Z02": "nowhere"},
            {
                "core": {
                    "frequncy": "2h",
                    "target": 80,
                    "window": "month",
                    "min_cells": 0,
                    "hours": ["Mon-Sun", "Tue 25:00-26:00"],
                    "exceptions": "missing.ics",
                }
            },
            SHANGHAI,
            campaigns={"race": {"zones": ["Z09"], "from": "2026-11-24", "to": "2026-11-23"}},
        )
    found = {problem.where: problem.message for problem in wrong.value.problems}
    assert set(found) == {
        "policies.core.frequncy",
        "policies.core.frequency",
        "policies.core.target",
        "policies.core.window",
        "policies.core.min_cells",
        "policies.core.hours[0]",
        "policies.core.hours[1]",
        "policies.core.exceptions",
        "zone Z02",
        "campaigns.race.to",
    }
    assert "did you mean frequency?" in found["policies.core.frequncy"]
    assert found["policies.core.frequency"] == "is required"


@pytest.mark.parametrize("hours", ["Mon-Sun 08:00-18:10", "Mon-Sun 22:00-02:05"])
def test_a_shift_with_a_target_ends_on_a_quarter_of_an_hour(hours) -> None:
    """Else a cell that is visited again just after its end would be taken from it."""
    keys = {**POLICY, "hours": [hours]}
    with pytest.raises(PolicyError, match=rf"shift ends at {hours[-5:]}; .* quarter of an hour"):
        parse_policy("core", keys, SHANGHAI)
    assert parse_policy("core", {**keys, "window": "day"}, SHANGHAI).window == "day"
    # Where it begins does not matter: the later visit of a quarter is the one that is known.
    parse_policy("core", {**POLICY, "hours": ["Mon-Sun 08:10-18:00"]}, SHANGHAI)


def test_mistakes_in_a_campaign_name_the_campaign() -> None:
    race = {"zones": ["Z01", "Z09"], "from": "soon", "to": "2026-11-25", "target": "all"}
    late = {"zones": ["Z01", "Z09"], "from": "2026-11-24", "to": "2026-11-25", "target": "all"}
    with pytest.raises(PolicyError) as wrong:
        Policies.parse(
            {"Z01": "core"}, {"core": POLICY}, SHANGHAI, campaigns={"race": race, "late": late}
        )
    assert {p.where for p in wrong.value.problems} == {
        "campaigns.race.from",
        "campaigns.late.zones",
        "campaigns.late.target",
    }


def test_campaigns_override_any_key_between_two_dates_and_the_later_wins() -> None:
    """A date as `to` is the last day; an instant is an instant."""
    policies = Policies.parse(
        {"Z01": "core", "Z02": "core", "Z03": "core"},
        {"core": POLICY},
        SHANGHAI,
        campaigns={
            "week": {
                "zones": ["Z01", "Z02"],
                "from": "2026-11-23",
                "to": "2026-11-29",
                "target": 0.9,
            },
            "night": {
                "zones": ["Z01"],
                "from": "2026-11-24T18:00",
                "to": "2026-11-25T06:00:00+08:00",
                "hours": ["Mon-Sun 20:00-04:00"],
            },
        },
    )

    def at_z1(when):
        return policies.policy_for("Z01", at(when))

    assert at_z1("22 23:59").target == 0.8
    assert at_z1("23 00:00").target == 0.9
    assert at_z1("24 18:00").campaign == "night"
    assert at_z1("25 05:59").campaign == "night"
    assert at_z1("25 06:00").campaign == "week"
    assert at_z1("29 23:59").target == 0.9
    assert at_z1("30 00:00").campaign is None
    assert policies.policy_for("Z03", at("24 12:00")).target == 0.8
    assert policies.plan("Z01") is not policies.plan("Z02")
    plan = policies.plan("Z01")
    assert plan.duty_s(at("24 00:00"), at("26 00:00")) == (10 + 8 + 10) * 3600
    assert plan.on_duty(at("24 23:00"))
    assert not plan.on_duty(at("26 23:00"))
    assert plan.advance(at("24 17:00"), 2 * 3600) == at("24 21:00")
    assert plan.advance(at("24 17:00"), 10 * 3600) == at("25 09:00")
    ended = plan.windows_ended(at("24 00:00"), at("25 18:00"))
    assert [(j.window.to_ms, j.policy.campaign) for j in ended] == [
        (at("24 18:00"), "week"),
        (at("25 04:00"), "night"),
        (at("25 18:00"), "week"),
    ]


def test_a_pause_is_a_campaign_that_says_why() -> None:
    snow = {"zones": ["Z01"], "from": "2026-11-24", "to": "2026-11-24", "paused": "snow"}
    policies = Policies.parse({"Z01": "core"}, {"core": POLICY}, SHANGHAI, campaigns={"s": snow})
    plan = policies.plan("Z01")
    assert not plan.on_duty(at("24 12:00"))
    assert plan.duty_s(at("23 00:00"), at("26 00:00")) == 20 * 3600
    assert plan.advance(at("23 17:00"), 2 * 3600) == at("25 09:00")


def test_zones_with_the_same_policy_share_a_plan() -> None:
    policies = Policies.parse({"Z01": "core", "Z02": "core"}, {"core": POLICY}, SHANGHAI)
    assert policies.plan("Z01") is policies.plan("Z02")
    with pytest.raises(KeyError):
        policies.plan("Z09")
