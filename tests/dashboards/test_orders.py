"""Pauses and campaigns through the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.store.book import AlertBook
from dashboards.app import create_app
from tests.dashboards.conftest import Api
from tests.dashboards.district import District, sample_policies

RACE = {"name": "race", "zones": ["cy-01", "cy-02"], "to": "2025-11-30", "frequency": "30m"}
SNOW = {"zones": ["cy-09"], "from": "2025-11-01", "to": "2025-11-30", "paused": "roadworks"}


@pytest.fixture
def paused(tmp_path: Path) -> tuple[Api, District]:
    """A district that has a pause in its configuration."""
    policies = sample_policies(snow=SNOW)
    district = District(AlertBook(tmp_path / "own.sqlite"), policies=policies)
    return Api(create_app(district.sources())), district


def test_a_zone_is_paused_and_resumed(api: Api, district: District) -> None:
    """From now on, or from later on; who did it, and why, is in the list."""
    body = {"actor": "li", "reason": "台风", "until": "2025-11-23T18:00"}
    answer = api.post("/api/v1/zones/cy-08/pause", body)
    assert answer.status_code == 200
    assert answer.json() == {
        "name": "pause-cy-08-1",
        "kind": "pause",
        "zones": ["cy-08"],
        "from": "2025-11-23T09:00:00+08:00",
        "to": "2025-11-23T18:00:00+08:00",
        "keys": {"paused": "台风"},
        "state": "in_force",
        "source": "console",
        "ordered_by": "li",
        "ordered_at": "2025-11-23T09:00:00+08:00",
        "reason": "台风",
        "ended_by": None,
        "ended_at": None,
        "end_reason": "",
    }
    assert district.policies.policy_for("cy-08", district.now_ms).paused == "台风"
    district.now_ms += 60_000
    ended = api.post("/api/v1/zones/cy-08/resume", {"actor": "wang", "reason": "over"}).json()
    (pause,) = ended["campaigns"]
    assert (pause["state"], pause["ended_by"], pause["end_reason"]) == ("over", "wang", "over")
    assert district.policies.policy_for("cy-08", district.now_ms).paused == ""
    again = api.post("/api/v1/zones/cy-08/resume", {})
    assert (again.status_code, again.json()["reason"]) == (409, "not_paused")


def test_a_campaign_is_started_and_ended(api: Api, district: District) -> None:
    """Its keys are as written; the list says in which state it is."""
    body = {**RACE, "from": "2025-11-24", "hours": ["Mon-Sun 06:00-22:00"], "reason": "marathon"}
    made = api.post("/api/v1/campaigns", body).json()
    assert (made["state"], made["keys"]) == (
        "planned",
        {"frequency": "30m", "hours": ["Mon-Sun 06:00-22:00"]},
    )
    assert (made["from"], made["to"]) == ("2025-11-24T00:00:00+08:00", "2025-12-01T00:00:00+08:00")
    district.now_ms += 86_400_000
    (listed,) = api.get("/api/v1/campaigns").json()["campaigns"]
    assert (listed["name"], listed["state"], listed["ordered_by"]) == (
        "race",
        "in_force",
        "console",
    )
    assert district.policies.policy_for("cy-02", district.now_ms).campaign == "race"
    ended = api.post("/api/v1/campaigns/race/end", {"actor": "li"}).json()
    assert (ended["state"], ended["ended_by"]) == ("over", "li")
    again = api.post("/api/v1/campaigns/race/end", {})
    assert (again.status_code, again.json()["reason"]) == (409, "already_over")


def test_what_is_in_force_is_listed_first(api: Api, district: District) -> None:
    """Then what is planned, the next first; then as many as wanted of those that are over."""
    for name, begins in (("later", "2025-11-26"), ("soon", "2025-11-25"), ("now", None)):
        api.post("/api/v1/campaigns", {**RACE, "name": name, "from": begins})
    for _ in range(3):
        until = {"reason": "fog", "until": "2025-11-25"}
        api.post("/api/v1/zones/cy-03/pause", until)
        district.now_ms += 1000
        api.post("/api/v1/zones/cy-03/resume", {})

    def names(query: str = "") -> list[str]:
        return [each["name"] for each in api.get(f"/api/v1/campaigns{query}").json()["campaigns"]]

    over = ["pause-cy-03-6", "pause-cy-03-5", "pause-cy-03-4"]
    assert names() == ["now", "soon", "later", *over]
    assert names("?over=1") == ["now", "soon", "later", over[0]]
    assert names("?over=0") == ["now", "soon", "later"]


def test_what_is_configured_is_listed_and_not_ended(paused: tuple[Api, District]) -> None:
    """409 says what to do."""
    api, _ = paused
    (snow,) = api.get("/api/v1/campaigns").json()["campaigns"]
    assert (snow["source"], snow["kind"], snow["state"]) == ("configuration", "pause", "in_force")
    assert (snow["ordered_by"], snow["ordered_at"], snow["reason"]) == (None, None, "roadworks")
    for path in ("campaigns/snow/end", "zones/cy-09/resume"):
        answer = api.post(f"/api/v1/{path}", {})
        assert (answer.status_code, answer.json()["reason"]) == (409, "configured")
        assert "change it there" in answer.json()["detail"]


def test_all_problems_of_an_order_come_at_once(api: Api) -> None:
    """422 with a list that names each key."""
    wrong = {"name": "x", "zones": ["cy-77"], "to": "soon", "target": "all", "min_cells": 0}
    answer = api.post("/api/v1/campaigns", wrong)
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid_order")
    found = {problem["where"]: problem["message"] for problem in answer.json()["problems"]}
    assert set(found) == {"to", "target", "min_cells"}
    wrong["to"] = "2025-11-30"
    found = {each["where"] for each in api.post("/api/v1/campaigns", wrong).json()["problems"]}
    assert found == {"zones", "target", "min_cells"}
    early = {"reason": "fog", "until": "2025-11-23T08:00"}
    answer = api.post("/api/v1/zones/cy-01/pause", early)
    assert [problem["where"] for problem in answer.json()["problems"]] == ["until"]
    assert answer.json()["detail"].startswith("until: ")


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("zones/cy-01/pause", {"until": "2025-11-24"}, "reason"),
        ("zones/cy-01/pause", {"reason": " ", "until": "2025-11-24"}, "reason"),
        ("zones/cy-01/pause", {"reason": "fog"}, "until"),
        ("campaigns", {**RACE, "paused": "fog"}, "paused"),
        ("campaigns", {"zones": ["cy-01"], "to": "2025-11-24"}, "name"),
    ],
)
def test_a_wrong_body_is_a_named_problem(api: Api, path: str, body: object, where: str) -> None:
    """422 that says which member is wrong; nothing is ordered."""
    answer = api.post(f"/api/v1/{path}", body)
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid_request")
    assert any(where in error["where"] for error in answer.json()["errors"])
    assert api.get("/api/v1/campaigns").json()["campaigns"] == []


def test_what_there_is_not_is_not_found(api: Api) -> None:
    """404 with the names there are."""
    api.post("/api/v1/campaigns", RACE)
    for path, reason in (
        ("zones/cy-77/pause", "unknown_zone"),
        ("zones/cy-77/resume", "unknown_zone"),
        ("campaigns/rice/end", "unknown_campaign"),
    ):
        body = {"reason": "fog", "until": "2025-11-24"} if path.endswith("pause") else {}
        answer = api.post(f"/api/v1/{path}", body)
        assert (answer.status_code, answer.json()["reason"]) == (404, reason)
        assert answer.json()["near"]


def test_a_zone_says_its_campaign_and_until_when_it_is_paused(api: Api, district: District) -> None:
    """In /coverage; null when there is none."""
    zone = api.get("/api/v1/coverage/cy-01").json()
    assert (zone["campaign"], zone["paused_until"]) == (None, None)
    until_ms = district.now_ms + 3_600_000
    district.stand("cy-01", "paused", campaign="race", paused_until_ms=until_ms, detail="fog")
    zone = api.get("/api/v1/coverage/cy-01").json()
    assert (zone["campaign"], zone["paused_until"]) == ("race", "2025-11-23T10:00:00+08:00")
