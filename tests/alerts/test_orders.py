"""Pauses and campaigns that people order while the station runs."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.errors import BookUnavailable, OrderRefused, PolicyError, UnknownOrder
from alerts.orders import Orders
from alerts.plan import ZonePlan, layered
from alerts.policy import Campaign, parse_policy
from alerts.store.book import AlertBook

from .district import POLICY, SHANGHAI, District, at

CALM = ("coverage_at_risk", "look_back_due", "coverage_short")


def ordered(*zone_ids: str, **options: object) -> tuple[District, Orders]:
    """A district in which people may order something."""
    district = District(*zone_ids, **{"off": CALM, **options})
    return district, Orders(district.book.file, district.policies, SHANGHAI)


def problems(give) -> dict[str, str]:
    """Everything that is wrong with an order, by key."""
    with pytest.raises(PolicyError) as wrong:
        give()
    return {problem.where: problem.message for problem in wrong.value.problems}


def test_a_pause_holds_from_the_next_evaluation_until_its_end() -> None:
    """Nothing is raised in it, and its time does not count."""
    district, orders = ordered("Z01", "Z02")
    district.patrols.patrol("Z01", "23 09:00")
    district.evaluate("23 10:00:00")
    pause = orders.pause("Z01", "li", at("23 10:00:01"), reason="typhoon", until="2026-11-23T12:00")
    assert (pause.name, pause.kind, pause.until_ms) == ("pause-Z01-1", "pause", at("23 12:00"))
    district.evaluate("23 10:00:02")
    status = district.status("Z01")
    assert (status.state, status.reason, status.detail) == ("paused", "pause", "typhoon")
    assert status.paused_until_ms == at("23 12:00")
    assert district.status("Z02").state != "paused"
    happened = district.run("23 10:01", "23 12:59")
    assert all(event.startswith("Z02/") for _, event in happened)
    assert district.status("Z01").paused_until_ms is None
    assert district.status("Z01").idle_s == 3601 + 59 * 60
    assert "Z01/zone_unpatrolled raise" in district.evaluate("23 13:00")


def test_a_resume_ends_a_pause_now_and_history_stays() -> None:
    district, orders = ordered()
    orders.pause("Z01", "li", at("23 10:00"), reason="fog", until="2026-11-24")
    (ended,) = orders.resume("Z01", "wang", at("23 11:00"), reason="fog is gone")
    assert (ended.ended_by, ended.end_reason, ended.until_ms) == (
        "wang",
        "fog is gone",
        at("23 11:00"),
    )
    plan = district.policies.plan("Z01")
    assert plan.policy_at(at("23 10:30")).paused == "fog"
    assert plan.policy_at(at("23 11:00")).paused == ""
    assert plan.duty_s(at("23 09:00"), at("23 12:00")) == 2 * 3600
    with pytest.raises(OrderRefused) as refused:
        orders.resume("Z01", "wang", at("23 11:00"))
    assert refused.value.reason == "not_paused"


def test_a_campaign_counts_from_its_start() -> None:
    """What was asked before it stays what was asked."""
    district, orders = ordered()
    district.patrols.patrol("Z01", "23 09:00")
    orders.start(
        "race",
        {"zones": ["Z01"], "from": "2026-11-23T10:00", "to": "2026-11-23", "frequency": "30m"},
        "li",
        at("23 09:30"),
        reason="marathon",
    )
    district.evaluate("23 09:59")
    assert (district.status().state, district.status().campaign) == ("compliant", None)
    district.evaluate("23 10:00")
    status = district.status()
    assert (status.state, status.campaign, status.frequency_s) == ("overdue", "race", 1800)
    orders.end("race", "li", at("23 10:05"))
    district.evaluate("23 10:05")
    assert (district.status().state, district.status().campaign) == ("compliant", None)


def test_after_a_restart_all_is_as_before(tmp_path) -> None:
    path = tmp_path / "alerts.db"
    district, orders = ordered("Z01", "Z02", book=AlertBook(path))
    orders.pause("Z01", "li", at("23 10:00"), reason="fog", until="2026-11-23T12:00")
    keys = {"zones": ["Z01", "Z02"], "to": "2026-11-30", "target": 0.9, "hours": "Mon 08:00-09:00"}
    orders.start("week", keys, "wang", at("23 10:01"), reason="inspection")
    orders.pause("Z02", "li", at("23 10:02"), reason="flood", until="2026-11-25")
    orders.resume("Z02", "li", at("23 10:03"), reason="dry")
    before = orders.all()
    district.book.close_file()
    again, reread = ordered("Z01", "Z02", book=AlertBook(path))
    assert reread.all() == before
    for zone_id in ("Z01", "Z02"):
        for minute in range(-5, 200):
            now_ms = at("23 10:00") + 60_000 * minute
            found, known = (each.policies.policy_for(zone_id, now_ms) for each in (again, district))
            assert (found.campaign, found.target, found.paused) == (
                known.campaign,
                known.target,
                known.paused,
            )


def test_orders_of_a_zone_that_is_gone_are_kept_and_change_nothing(tmp_path) -> None:
    path = tmp_path / "alerts.db"
    district, orders = ordered("Z01", "Z02", book=AlertBook(path))
    orders.pause("Z02", "li", at("23 10:00"), reason="fog", until="2026-11-24")
    district.book.close_file()
    _, reread = ordered("Z01", book=AlertBook(path))
    assert [order.zones for order in reread.all()] == [("Z02",)]


def test_what_lies_over_what() -> None:
    """A pause over all; orders over the configuration; the later over the earlier."""
    day = {"from": "2026-11-23", "to": "2026-11-23"}
    district, orders = ordered(
        campaigns={
            "snow": {"zones": ["Z01"], **day, "to": "2026-11-23T09:00", "paused": "snow"},
            "usual": {"zones": ["Z01"], **day, "target": 0.5},
        }
    )

    def now(when: str) -> tuple[str | None, float, str]:
        policy = district.policies.policy_for("Z01", at(when))
        return policy.campaign, policy.target, policy.paused

    assert now("23 08:30") == ("usual", 0.5, "snow")
    assert now("23 10:00") == ("usual", 0.5, "")
    orders.pause("Z01", "li", at("23 09:30"), reason="fog", until="2026-11-23T11:00")
    for name, target in (("first", 0.6), ("second", 0.7)):
        keys = {"zones": ["Z01"], "to": "2026-11-23T12:00", "target": target}
        orders.start(name, keys, "li", at("23 09:40"))
    assert now("23 10:00") == ("second", 0.7, "fog")
    orders.pause("Z01", "li", at("23 09:50"), reason="ice", until="2026-11-23T10:30")
    assert [now(f"23 {clock}")[2] for clock in ("10:00", "10:30", "11:00")] == ["ice", "fog", ""]
    assert district.policies.plan("Z01").paused_until_ms(at("23 10:00")) == at("23 11:00")
    orders.end("second", "li", at("23 10:15"))
    assert now("23 10:20")[0] == "first"
    assert now("23 12:00")[0] == "usual"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    district, orders = ordered("Z01", campaigns={})
    wrong = {
        "zones": ["Z01", "Z09"],
        "from": "2026-11-23T09:00",
        "to": "2026-11-30",
        "frequency": "often",
        "target": 80,
        "windw": "day",
    }
    found = problems(lambda: orders.start("a/b", wrong, "li", at("23 10:00")))
    assert set(found) == {"name", "zones", "from", "frequency", "target", "windw"}
    assert found["zones"] == "there is no zone 'Z09'"
    assert "leave it out to begin now" in found["from"]
    assert "did you mean window?" in found["windw"]
    keys = {"zones": [], "from": "soon", "to": "9999-12-31", "hours": ["Mon 25:00-26:00"]}
    found = problems(lambda: orders.start("x", keys, "li", at("23 10:00")))
    assert set(found) == {"zones", "from", "to", "hours[0]"}
    nothing = {"zones": ["Z01"], "to": "2026-11-24"}
    assert set(problems(lambda: orders.start("x", nothing, "li", at("23 10:00")))) == {""}
    for until in ("2026-11-23T10:00", "yesterday", None):
        give = {"reason": "fog", "until": until}
        found = problems(lambda give=give: orders.pause("Z01", "li", at("23 10:00"), **give))
        assert set(found) == {"to"}
    assert orders.all() == []
    assert district.policies.policy_for("Z01", at("23 11:00")).paused == ""


def test_a_name_is_taken_until_its_order_is_over() -> None:
    """Also by the configuration, and by a pause."""
    usual = {"zones": ["Z01"], "from": "2026-11-01", "to": "2026-11-30", "target": 0.5}
    district, orders = ordered(campaigns={"usual": usual, "pause-Z01-1": usual})
    keys = {"zones": ["Z01"], "to": "2026-11-23T12:00", "target": 0.9}
    for taken in ("usual", "pause-Z01-1"):
        assert set(problems(lambda name=taken: orders.start(name, keys, "li", at("23 10:00")))) == {
            "name"
        }
    assert orders.start("国庆 专项", keys, "li", at("23 10:00")).name == "国庆 专项"
    assert "name" in problems(lambda: orders.start("国庆 专项", keys, "li", at("23 11:00")))
    later = {**keys, "to": "2026-11-24"}
    assert orders.start("国庆 专项", later, "li", at("23 12:00")).number == 2
    assert district.policies.policy_for("Z01", at("23 11:30")).target == 0.9
    pause = orders.pause("Z01", "li", at("23 13:00"), reason="fog", until="2026-11-24")
    assert pause.name == "pause-Z01-3"


def test_what_cannot_be_ended_says_what_to_do() -> None:
    usual = {"zones": ["Z01"], "from": "2026-11-23", "to": "2026-11-24", "paused": "roadworks"}
    _, orders = ordered("Z01", "Z02", campaigns={"usual": usual})

    def refused(give) -> str:
        with pytest.raises(OrderRefused) as error:
            give()
        assert error.value.detail
        return error.value.reason

    now_ms = at("23 10:00")
    assert refused(lambda: orders.end("usual", "li", now_ms)) == "configured"
    assert refused(lambda: orders.resume("Z01", "li", now_ms)) == "configured"
    assert refused(lambda: orders.resume("Z02", "li", now_ms)) == "not_paused"
    assert refused(lambda: orders.end("usual", "li", at("25 00:00"))) == "already_over"
    with pytest.raises(UnknownOrder):
        orders.end("nothing", "li", now_ms)
    planned = {"zones": ["Z02"], "from": "2026-11-24", "to": "2026-11-25", "target": 0.9}
    orders.start("later", planned, "li", now_ms)
    assert orders.end("later", "li", now_ms).state(now_ms) == "over"
    assert refused(lambda: orders.end("later", "li", now_ms)) == "already_over"
    assert [order.state(at("24 12:00")) for order in orders.all()] == ["in_force", "over"]


def test_an_ended_plan_never_comes_into_force() -> None:
    district, orders = ordered()
    keys = {"zones": ["Z01"], "from": "2026-11-24", "to": "2026-11-25", "target": 0.9}
    orders.start("later", keys, "li", at("23 10:00"))
    orders.end("later", "li", at("23 11:00"))
    assert district.policies.policy_for("Z01", at("24 12:00")).campaign is None


def test_rows_never_change(tmp_path) -> None:
    """Not even by somebody with an SQLite shell."""
    district, orders = ordered(book=AlertBook(tmp_path / "alerts.db"))
    orders.pause("Z01", "li", at("23 10:00"), reason="fog", until="2026-11-24")
    orders.resume("Z01", "li", at("23 11:00"))
    district.book.close_file()
    shell = sqlite3.connect(tmp_path / "alerts.db")
    for table in ("patrol_order", "order_end"):
        for statement in (f"UPDATE {table} SET actor = 'nobody'", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                shell.execute(statement)
    shell.close()


def test_what_could_not_be_written_is_not_ordered(tmp_path) -> None:
    district, orders = ordered(book=AlertBook(tmp_path / "alerts.db"))
    pause = orders.pause("Z01", "li", at("23 10:00"), reason="fog", until="2026-11-24")
    with district.book.file.reading() as db:
        db.execute("PRAGMA busy_timeout=0")
    other = sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BookUnavailable):
        orders.resume("Z01", "li", at("23 11:00"))
    with pytest.raises(BookUnavailable):
        orders.pause("Z01", "li", at("23 11:00"), reason="ice", until="2026-11-25")
    other.execute("ROLLBACK")
    other.close()
    assert orders.all() == [pause]
    assert district.policies.policy_for("Z01", at("23 12:00")).paused == "fog"


SPANS = st.tuples(st.integers(0, 20), st.integers(0, 20), st.booleans())


@settings(max_examples=200)
@given(st.lists(SPANS, max_size=8))
def test_layers_are_what_a_slow_look_at_each_instant_says(spans) -> None:
    """At each instant the last campaign that holds, under the last pause that holds."""
    policy = parse_policy("core", POLICY, SHANGHAI)
    campaigns = [
        Campaign(f"c{n}", ("Z01",), start, end, {"paused": f"why {n}"} if pause else {"target": 1})
        for n, (start, end, pause) in enumerate(spans)
    ]
    plan = ZonePlan(layered(policy, POLICY, campaigns, SHANGHAI))
    for instant in range(-1, 22):
        on = [each for each in campaigns if each.from_ms <= instant < each.to_ms]
        names = [each.name for each in on if "paused" not in each.keys]
        whys = [each.keys["paused"] for each in on if "paused" in each.keys]
        found = plan.policy_at(instant)
        assert found.campaign == (names[-1] if names else None)
        assert found.paused == (whys[-1] if whys else "")
        assert found.target == (1 if names else 0.8)
