"""The book through the API: lists, one alert, and what people do."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from alerts.rules import RULES
from dashboards.app import create_app
from dashboards.console.pages import mount
from tests.alerts.test_rules import WITH_SLOW
from tests.dashboards.conftest import Api
from tests.dashboards.district import District


def test_alerts_are_listed_newest_first_and_filtered(api: Api, district: District) -> None:
    """By state (open is every state but the last ones), zone and rule."""
    first = district.raise_alert("cy-08")
    district.now_ms += 60_000
    second = district.raise_alert("cy-04", "coverage_short")
    district.return_alert(first)
    api.post(f"/api/v1/alerts/{first}/close", {"actor": "li"})
    everything = api.get("/api/v1/alerts").json()["alerts"]
    assert [alert["alert_id"] for alert in everything] == [second, first]
    assert everything[1]["state"] == "closed"

    def ids(query: str) -> list[str]:
        return [a["alert_id"] for a in api.get(f"/api/v1/alerts?{query}").json()["alerts"]]

    assert ids("state=open") == [second]
    assert ids("state=closed") == [first]
    assert ids("zone_id=cy-08") == [first]
    assert ids("rule=coverage_short&state=active") == [second]
    assert ids("rule=coverage_short&zone_id=cy-08") == []
    wrong = api.get("/api/v1/alerts?state=aktive")
    assert (wrong.status_code, wrong.json()["reason"]) == (422, "unknown_state")
    assert "active" in wrong.json()["near"]
    assert wrong.json()["allowed"][:3] == ["open", "pending", "active"]
    wrong = api.get("/api/v1/alerts?rule=coverage_shirt")
    assert (wrong.status_code, wrong.json()["reason"]) == (422, "unknown_rule")
    assert wrong.json()["near"][0] == "coverage_short"


@pytest.mark.parametrize("state", ["", "&state=open"])
def test_alerts_are_paged_without_gap_or_repeat(api: Api, district: District, state: str) -> None:
    """An alert that comes between two pages neither repeats nor hides another."""
    raised = [district.raise_alert(f"cy-0{n}") for n in range(1, 8)]
    page = api.get(f"/api/v1/alerts?limit=3{state}").json()
    found = [alert["alert_id"] for alert in page["alerts"]]
    district.raise_alert("cy-09")
    while "next_cursor" in page:
        page = api.get(f"/api/v1/alerts?limit=3{state}&cursor={page['next_cursor']}").json()
        found += [alert["alert_id"] for alert in page["alerts"]]
    assert found == raised[::-1]
    wrong = api.get("/api/v1/alerts?cursor=nonsense")
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "invalid_cursor")


def test_an_alert_carries_its_history(api: Api, district: District) -> None:
    """Who, when and why, and the evidence that ended it."""
    alert_id = district.raise_alert("cy-08")
    api.post(f"/api/v1/alerts/{alert_id}/acknowledge", {"actor": "li", "reason": "seen"})
    api.post(f"/api/v1/alerts/{alert_id}/assign", {"actor": "li", "to": "wang"})
    api.post(f"/api/v1/alerts/{alert_id}/note", {"actor": "li", "text": "road works"})
    district.return_alert(alert_id)
    alert = api.get(f"/api/v1/alerts/{alert_id}").json()
    assert (alert["state"], alert["assigned_to"]) == ("returned", "wang")
    events = [(row["event"], row["actor"], row["reason"]) for row in alert["history"]]
    assert events[2:] == [
        ("acknowledge", "li", "seen"),
        ("assign", "li", ""),
        ("note", "li", "road works"),
        ("return", "system", "patrolled"),
    ]
    assert alert["evidence"]["bike"] == "hello/bike-01"
    assert alert["history"][0]["at"] == "2025-11-23T09:00:00+08:00"


def test_the_actor_is_the_console_until_there_are_users(api: Api, district: District) -> None:
    """A body without actor is recorded as done by the console."""
    alert_id = district.raise_alert("cy-08")
    answer = api.post(f"/api/v1/alerts/{alert_id}/acknowledge", {})
    assert answer.status_code == 200
    assert answer.json()["acknowledged_by"] == "console"


def test_an_alert_is_shelved_until_an_instant(api: Api, district: District) -> None:
    """A time without offset is the district's; unshelving brings it back."""
    alert_id = district.raise_alert("cy-08")
    shelved = api.post(
        f"/api/v1/alerts/{alert_id}/shelve",
        {"actor": "li", "until": "2025-11-23T10:30", "reason": "flood"},
    ).json()
    assert (shelved["state"], shelved["shelved_until"]) == (
        "shelved",
        "2025-11-23T10:30:00+08:00",
    )
    back = api.post(f"/api/v1/alerts/{alert_id}/unshelve", {"actor": "li"}).json()
    assert back["state"] == "active"


@pytest.mark.parametrize(
    ("act", "body", "reason"),
    [
        ("close", {}, "not_returned"),
        ("unshelve", {}, "not_shelved"),
        ("shelve", {"until": "2025-11-23T08:00", "reason": "late"}, "until_in_past"),
    ],
)
def test_what_the_lifecycle_forbids_is_a_conflict(
    api: Api, district: District, act: str, body: dict[str, str], reason: str
) -> None:
    """409 with the named reason, and nothing is recorded."""
    alert_id = district.raise_alert("cy-08")
    answer = api.post(f"/api/v1/alerts/{alert_id}/{act}", body)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == reason
    assert len(api.get(f"/api/v1/alerts/{alert_id}").json()["history"]) == 2


def test_what_was_just_done_is_undone(api: Api, district: District) -> None:
    """The answer says until when; both rows stay, the one marked as undone."""
    alert_id = district.raise_alert("cy-08")
    assert api.get(f"/api/v1/alerts/{alert_id}").json()["undo_until"] is None
    taken = api.post(f"/api/v1/alerts/{alert_id}/acknowledge", {"actor": "li"}).json()
    assert taken["undo_until"] == "2025-11-23T09:00:10+08:00"
    district.now_ms += 10_000
    answer = api.post(f"/api/v1/alerts/{alert_id}/undo", {"actor": "li", "reason": "wrong one"})
    assert answer.status_code == 200
    alert = answer.json()
    assert (alert["state"], alert["acknowledged_by"], alert["undo_until"]) == ("active", None, None)
    done, undone = alert["history"][-2:]
    assert (done["event"], done["undone"]) == ("acknowledge", True)
    assert (undone["event"], undone["reason"], undone["undone"]) == ("undo", "wrong one", False)
    assert undone["evidence"]["undone"] == done["seq"]


def test_a_closing_is_undone_and_the_alert_is_among_the_open_ones(
    api: Api, district: District
) -> None:
    """Until it is too late; then the closing stands."""
    alert_id = district.raise_alert("cy-08")
    district.return_alert(alert_id)
    for late, status in ((10_000, 200), (10_001, 409)):
        api.post(f"/api/v1/alerts/{alert_id}/close", {"actor": "li"})
        assert api.get("/api/v1/alerts?state=open").json()["alerts"] == []
        district.now_ms += late
        answer = api.post(f"/api/v1/alerts/{alert_id}/undo", {"actor": "li"})
        assert answer.status_code == status
    assert answer.json()["reason"] == "too_late_to_undo"
    assert api.get(f"/api/v1/alerts/{alert_id}").json()["state"] == "closed"


def test_ten_seconds_are_those_of_the_wall(district: District) -> None:
    """A demo that runs sixty times faster gives six hundred of its own."""
    district.demo_speed = 60.0
    api = Api(create_app(district.sources()))
    alert_id = district.raise_alert("cy-08")
    taken = api.post(f"/api/v1/alerts/{alert_id}/acknowledge", {}).json()
    assert taken["undo_until"] == "2025-11-23T09:10:00+08:00"
    district.now_ms += 600_000
    assert api.post(f"/api/v1/alerts/{alert_id}/undo", {}).status_code == 200


@pytest.mark.parametrize(("actor", "reason"), [("wang", "not_yours"), ("li", "too_late_to_undo")])
def test_what_cannot_be_undone_is_a_conflict(
    api: Api, district: District, actor: str, reason: str
) -> None:
    """409 with the named reason."""
    alert_id = district.raise_alert("cy-08")
    assert api.post(f"/api/v1/alerts/{alert_id}/undo", {}).json()["reason"] == "nothing_to_undo"
    api.post(f"/api/v1/alerts/{alert_id}/acknowledge", {"actor": "li"})
    district.now_ms += 10_001
    answer = api.post(f"/api/v1/alerts/{alert_id}/undo", {"actor": actor})
    assert (answer.status_code, answer.json()["reason"]) == (409, reason)


def test_acknowledging_twice_is_a_conflict(api: Api, district: District) -> None:
    """The second is told that somebody was faster."""
    alert_id = district.raise_alert("cy-08")
    assert api.post(f"/api/v1/alerts/{alert_id}/acknowledge", {}).status_code == 200
    again = api.post(f"/api/v1/alerts/{alert_id}/acknowledge", {})
    assert (again.status_code, again.json()["reason"]) == (409, "already_acknowledged")


@pytest.mark.parametrize(
    ("act", "body", "where"),
    [
        ("acknowledge", {"actor": ""}, "actor"),
        ("acknowledge", {"actor": "x" * 101}, "actor"),
        ("acknowledge", {"who": "li"}, "who"),
        ("assign", {"actor": "li"}, "to"),
        ("shelve", {"until": "2025-11-24"}, "reason"),
        ("note", {"actor": "li", "text": "  "}, "text"),
        ("acknowledge", None, "body"),
    ],
)
def test_a_wrong_body_is_a_named_problem(
    api: Api, district: District, act: str, body: object, where: str
) -> None:
    """422 problem+json that says which member is wrong."""
    alert_id = district.raise_alert("cy-08")
    answer = api.post(f"/api/v1/alerts/{alert_id}/{act}", body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["reason"] == "invalid_request"
    assert any(where in error["where"] for error in problem["errors"])


def test_an_unknown_alert_is_not_found(api: Api, district: District) -> None:
    """404 for reading and for acting, with the ids of open alerts."""
    alert_id = district.raise_alert("cy-08")
    for answer in (
        api.get("/api/v1/alerts/A999999"),
        api.post("/api/v1/alerts/A999999/acknowledge", {}),
        api.get("/api/v1/alerts/nonsense"),
    ):
        assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_alert")
        assert alert_id in answer.json()["detail"]


def test_a_hostile_note_stays_text(api: Api, district: District) -> None:
    """It comes back exactly as it was written, as JSON."""
    alert_id = district.raise_alert("cy-08")
    text = "</script><img src=x onerror=alert(1)>"
    answer = api.post(f"/api/v1/alerts/{alert_id}/note", {"text": text})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["history"][-1]["reason"] == text


def test_a_new_rule_can_be_asked_for(district: District) -> None:
    """The filter and its description take the rules from the registry."""
    sources = replace(district.sources(), rules=WITH_SLOW)
    api = Api(create_app(sources))
    alert_id = district.raise_alert("cy-08", "bike_slow")
    found = api.get("/api/v1/alerts?rule=bike_slow").json()["alerts"]
    assert [alert["alert_id"] for alert in found] == [alert_id]
    route = api.get("/api/v1/openapi.json").json()["paths"]["/alerts"]["get"]
    (asked,) = [each for each in route["parameters"] if each["name"] == "rule"]
    assert "bike_slow" in asked["description"]


@pytest.mark.parametrize(("language", "title"), [("zh", "车辆迟缓"), ("en", "Bike slow")])
def test_a_new_rule_stands_in_the_filter_of_the_console(
    district: District, language: str, title: str
) -> None:
    """The page is told the rules that there are, with their names and hints."""
    sources = replace(district.sources(), rules=WITH_SLOW)
    app = create_app(sources)
    mount(app, sources)
    page = Api(app).get("/alerts", params={"lang": language}).text
    (config,) = re.findall(
        r'<script type="application/json" id="console-config">(.*?)</script>', page
    )
    told = json.loads(config)
    assert told["rules"] == [*RULES, "bike_slow"]
    assert told["texts"]["rule.bike_slow"] == title
    assert told["texts"]["rule_hint.bike_slow"]
