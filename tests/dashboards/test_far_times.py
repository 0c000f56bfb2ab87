"""Instants at the end of the calendar: refused where they come in, and harmless where they are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.store.book import AlertBook
from dashboards.app import create_app
from tests.dashboards.conftest import Api
from tests.dashboards.district import NINE_MS, District

END_MS = 253_402_300_799_000  # of the year 9999
FAR = ("3000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-30", "0001-01-01", str(END_MS))
INSTANTS = st.one_of(
    st.datetimes(timezones=st.sampled_from([None, UTC])).map(datetime.isoformat),
    st.dates().map(str),
    st.integers(-(10**16), 10**16).map(str),
    st.sampled_from([*FAR, "2025-11-23 08:00:00 08:00", "2025-W48", "24:00", "", "²", "NaN"]),
    st.text(max_size=30),
)
ASKED = (
    *("zones", "cells", "cells.png", "zones/cy-01/policy", "coverage", "coverage/cy-01"),
    *("coverage/cy-01/days", "tracks", "bikes/bike-03/track", "bikes/days", "bikes/bike-03/day"),
)
LISTS = ("alerts", "campaigns", "coverage", "zones", "zones/cy-02/policy")


ONE_DISTRICT = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(ONE_DISTRICT, max_examples=40)
@given(path=st.sampled_from(ASKED), at=INSTANTS, to=st.none() | INSTANTS)
def test_no_instant_is_too_much_for_a_question(api: Api, path, at, to) -> None:
    """It is answered or refused with a reason."""
    keys = {"at": at, "date": at} if to is None else {"from": at, "to": to}
    answer = api.get(f"/api/v1/{path}", params=keys)
    assert answer.status_code in (200, 400, 404, 422), answer.text


@settings(ONE_DISTRICT, max_examples=20)
@given(until=INSTANTS | st.integers() | st.none(), frequency=st.none() | st.text() | st.integers())
def test_nothing_is_kept_that_cannot_be_shown(api: Api, district, until, frequency) -> None:
    """Whatever an order or shelf is given, all lists and the live stream still answer."""
    alert = district.raise_alert("cy-08")
    campaign = {"name": alert, "zones": ["cy-01"], "to": until, "frequency": frequency}
    for path, body in (
        (f"alerts/{alert}/shelve", {"until": until, "reason": "x"}),
        ("zones/cy-02/pause", {"until": until, "reason": "x"}),
        ("campaigns", campaign),
    ):
        assert api.post(f"/api/v1/{path}", body).status_code < 500
    assert api.app.state.feed.poll() > 0
    for path in (*LISTS, f"alerts/{alert}"):
        assert api.get(f"/api/v1/{path}").status_code == 200


@pytest.mark.parametrize("until", FAR)
def test_what_lies_beyond_the_calendar_is_refused(api: Api, district: District, until: str) -> None:
    """With the bounds, and nothing changes."""
    alert = district.raise_alert("cy-08")
    for path, body in (
        (f"alerts/{alert}/shelve", {"until": until, "reason": "x"}),
        ("zones/cy-02/pause", {"until": until, "reason": "x"}),
        ("campaigns", {"name": "c", "zones": ["cy-01"], "to": until, "target": 0.5}),
    ):
        answer = api.post(f"/api/v1/{path}", body)
        assert answer.status_code in (400, 422)
        if until[0] != "2":
            assert "1970 and 2100" in answer.json()["detail"] or "must be a date" in answer.text
    assert district.orders.all() == []
    assert district.book.get(alert).state == "active"
    assert api.get(f"/api/v1/zones?at={until}").status_code == 400


def test_what_an_older_version_kept_does_not_take_lists_away(tmp_path: Path) -> None:
    """A shelf and an order until 9999, and one whose policy is not understood any more."""
    path = tmp_path / "old.sqlite"
    old = District(AlertBook(path))
    alert = old.raise_alert("cy-08")
    old.book.shelve(alert, "li", NINE_MS, until_ms=END_MS, reason="for ever")
    insert = (
        "INSERT INTO patrol_order (name, kind, zones, from_ms, to_ms, keys, reason, actor, at_ms) "
        "VALUES (?, 'campaign', '[\"cy-01\"]', ?, ?, ?, '', 'li', ?)"
    )
    with old.book.file.transaction() as db:
        db.execute(insert, ("long", NINE_MS, END_MS, '{"target": 0.5}', NINE_MS))
        db.execute(insert, ("odd", NINE_MS, END_MS, '{"frequency": "99999999d"}', NINE_MS))
    old.book.close_file()
    district = District(AlertBook(path))
    app = create_app(district.sources())
    api = Api(app)
    assert app.state.feed.poll() > 0
    (shown,) = api.get("/api/v1/alerts").json()["alerts"]
    assert shown["shelved_until"] == "2100-01-01T08:00:00+08:00"
    listed = api.get("/api/v1/campaigns").json()["campaigns"]
    assert {each["name"]: each["to"][:4] for each in listed} == {"long": "2100", "odd": "2100"}
    assert district.policies.policy_for("cy-01", NINE_MS).target == 0.5
    assert api.post("/api/v1/campaigns/odd/end", {"actor": "li"}).status_code == 200
    assert api.post(f"/api/v1/alerts/{alert}/unshelve", {}).status_code == 200
