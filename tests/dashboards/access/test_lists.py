"""Lists as they are asked for: as a table, on a map, and only by filters that there are."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pyogrio.raw
import pytest

from dashboards.access.audit import ACTIONS
from dashboards.api.answers import Alert
from dashboards.api.lists import table
from dashboards.api.precision import rounded
from dashboards.api.routes import API
from dashboards.console.catalogue import texts
from tests.dashboards.access.people import People
from tests.dashboards.conftest import Api
from tests.dashboards.district import District
from tests.dashboards.shapes import shapes_of

WINDOW = "from=2025-11-23T08:00&to=2025-11-23T09:00"


def rows(answer: Any) -> list[dict[str, str]]:
    """The rows of a table."""
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def opened(answer: Any, folder: Path) -> Any:
    """What a map program reads: attributes by name, and the outlines."""
    assert answer.headers["content-type"] == "application/geo+json"
    file = folder / "answer.geojson"
    file.write_bytes(answer.content)
    meta, _, shapes, columns = pyogrio.raw.read(file)
    return dict(zip(meta["fields"], columns, strict=True)), shapes, meta


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("bikes", "bikes"),
        ("bikes/days", "days"),
        ("coverage", "zones"),
        ("coverage/trend", "zones"),
        ("coverage/cy-08/days", "days"),
        ("cells?zone_id=cy-08", "cells"),
        ("alerts", "alerts"),
        ("campaigns", "campaigns"),
        ("rejects", "rejects"),
        ("policies", "policies"),
    ],
)
def test_a_list_is_a_table_too(api: Api, district: District, path: str, name: str) -> None:
    """The same rows, with a row of names also when there is none; it is opened as a file."""
    district.ride(3, 36.305, 120.37)
    district.raise_alert("cy-08")
    district.reject()
    district.orders.pause("cy-01", "deng", district.now_ms, reason="flooded", until="2025-11-24")
    expected = api.get(f"{API}/{path}").json()[name]
    answer = api.get(f"{API}/{path}{'&' if '?' in path else '?'}format=csv")
    assert f'"{name}.csv"' in answer.headers["content-disposition"]
    found = rows(answer)
    assert len(found) == len(expected) > 0
    assert set(found[0]) == set(expected[0])
    for key, value in expected[0].items():
        if isinstance(value, str):
            assert found[0][key] == value


def test_every_list_is_a_table(people: People) -> None:
    """Whoever adds one lets it be asked for as CSV; a zone's versions are outlines only."""
    for path, item in shapes_of(people.app).document["paths"].items():
        for operation in item.values():
            if operation["operationId"].startswith("list_") and not path.endswith("/versions"):
                assert "text/csv" in operation["responses"]["200"]["content"], path


@pytest.mark.parametrize("lead", list("=+-@\t\r\n＝＋－＠"))
def test_a_table_runs_nothing(lead: str) -> None:
    """A text that a spreadsheet takes for a formula is made a text; numbers stay numbers."""
    text = f"{lead}cmd|' /C calc'!A0"
    found = next(csv.reader(io.StringIO(table([{"reason": text}], ["reason"]).split("\r\n", 1)[1])))
    assert found == [f"'{text}"]


def test_a_table_says_what_json_does() -> None:
    """Empty is null, what holds others is JSON, and a comma, quote or line in a text is text."""
    row = {
        "bike": None,
        "undone": True,
        "reopened": -1,
        "evidence": {"a": [1]},
        "reason": 'a,"b"\nc',
    }
    names = ["bike", "undone", "reopened", "evidence", "reason"]
    text = table([row], names)
    assert list(csv.reader(io.StringIO(text.removeprefix("\ufeff")))) == [
        names,
        ["", "true", "-1", '{"a":[1]}', 'a,"b"\nc'],
    ]
    assert table([], list(Alert.__annotations__)).startswith("\ufeffalert_id,rule,")


def test_the_next_page_is_a_link(api: Api) -> None:
    """For whoever reads a table, which has no `next_cursor`."""
    answer = api.get(f"{API}/bikes?format=csv&limit=20")
    link = answer.headers["link"]
    assert link == f'<{API}/bikes?format=csv&limit=20&cursor=hello%2Fbike-19>; rel="next"'
    following = api.get(link.partition(">")[0][1:])
    assert len(rows(answer)) + len(rows(following)) == 28
    assert "link" not in following.headers


def test_bikes_and_cells_open_on_a_map(api: Api, district: District, tmp_path: Path) -> None:
    """Bikes are points, those of which nothing is known without one; cells are squares."""
    district.ride(3, 36.305, 120.37)
    columns, shapes, meta = opened(api.get(f"{API}/bikes?format=geojson"), tmp_path)
    assert (meta["geometry_type"], len(shapes)) == ("Point", 28)
    (there,) = [n for n, shape in enumerate(shapes) if shape is not None]
    assert (columns["bike_id"][there], columns["lat"][there]) == ("bike-03", 36.305)
    columns, shapes, meta = opened(api.get(f"{API}/cells?format=geojson&zone_id=cy-08"), tmp_path)
    assert meta["geometry_type"] == "Polygon"
    assert set(columns["zone_id"]) == {"cy-08"}
    assert len(shapes) == len(set(columns["cell"])) == district.zones.cells("cy-08").size


@pytest.mark.parametrize("fixes", [0, 1, 60])
def test_tracks_open_on_a_map(api: Api, district: District, tmp_path: Path, fixes: int) -> None:
    """A line of one position is none, and programs refuse it: it is a point then."""
    if fixes:
        district.patrol(3, "cy-08", at_ms=district.now_ms - 60_000, fixes=fixes)
    _, shapes, meta = opened(api.get(f"{API}/bikes/bike-03/track?format=geojson"), tmp_path)
    assert meta["geometry_type"] == ("LineString" if fixes > 1 else "MultiPoint")
    assert len(shapes) == 1
    columns, shapes, _ = opened(api.get(f"{API}/tracks?{WINDOW}&format=geojson"), tmp_path)
    assert list(columns.get("bike_id", [])) == (["bike-03"] if fixes else [])
    assert len(rows(api.get(f"{API}/bikes/bike-03/track?format=csv"))) == fixes
    assert bool(rows(api.get(f"{API}/tracks?{WINDOW}&format=csv"))) == bool(fixes)


def test_zones_open_on_a_map(api: Api, tmp_path: Path) -> None:
    """The outlines with coverage as attributes; as a table without outlines."""
    columns, shapes, _ = opened(api.get(f"{API}/zones"), tmp_path)
    assert len(shapes) == 9
    assert set(columns["state"]) == {"compliant"}
    assert [row["zone_id"] for row in rows(api.get(f"{API}/zones?format=csv"))] == list(
        columns["zone_id"]
    )


@pytest.mark.parametrize(
    ("query", "where", "allowed"),
    [
        ("alerts?state=aktive", "state", "active"),
        ("alerts?rule=coverage_shirt", "rule", "coverage_short"),
        ("alerts?zone_id=cy-99", "zone_id", "cy-08"),
        ("cells?zone_id=cy-99", "zone_id", "cy-08"),
        ("cells.png?zone_id=cy-99", "zone_id", "cy-08"),
        ("rejects?vendor=helo", "vendor", "hello"),
        ("rejects?reason=no_json", "reason", "not_json"),
        ("alerts?stat=open", "stat", "state"),
        ("campaigns?ower=1", "ower", "over"),
        ("coverage?when=2025-11-23", "when", "at"),
        ("audit?actor=nobody", "actor", "ada"),
        ("audit?action=log_in", "action", "login"),
    ],
)
def test_a_wrong_filter_is_refused(people: People, query: str, where: str, allowed: str) -> None:
    """422 that says what is right there: an empty list would be taken for an answer."""
    answer = people.by("ada", "GET", f"{API}/{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["where"] == where
    assert allowed in answer.json()["allowed"]


def test_what_nobody_has_done_yet_is_a_right_filter(people: People) -> None:
    """Every word that the console has for an action, and every change that the API has."""
    words = {key.removeprefix("audit.did.") for key in texts("en") if key.startswith("audit.did.")}
    assert words - {"alert"} == set(ACTIONS)
    for action in ("token_revoked", "PUT /zones/{zone_id}"):
        answer = people.by("ada", "GET", f"{API}/audit?action={action}")
        assert (answer.status_code, answer.json()) == (200, {"entries": []})


def test_a_format_or_filter_is_given_once(api: Api) -> None:
    """Of two the program would have to guess which is meant."""
    wrong = api.get(f"{API}/bikes?format=xlsx").json()["errors"]
    assert [each["allowed"] for each in wrong] == [["json", "csv", "geojson"]]
    twice = api.get(f"{API}/alerts?state=open&state=closed")
    assert (twice.status_code, twice.json()["reason"]) == (422, "repeated_parameter")


def test_ids_are_right_as_they_are_given_out(api: Api, district: District) -> None:
    """Alerts and visits name a bike `vendor/bike_id`; ids hold what vendors write in them."""
    for bike_id in ("京A12345", "AA:BB:CC:00", "x.1_-"):
        district.roster.index("other", bike_id)
        for name in (bike_id, f"other/{bike_id}", f"other%2F{bike_id}"):
            assert api.get(f"{API}/bikes/{name}").json()["bike_id"] == bike_id
            for more in ("track", "day", "path"):
                answer = api.get(f"{API}/bikes/{name}/{more}")
                assert answer.status_code == 200, answer.text
    assert api.get(f"{API}/bikes/hello/bike-03").json()["vendor"] == "hello"
    assert api.get(f"{API}/bikes/helo/bike-03").json()["reason"] == "unknown_vendor"


def test_values_have_the_digits_that_are_known() -> None:
    """Degrees 7, seconds 3, metres 2; also of what an alert's evidence holds."""
    values = {
        "lat": 36.30512345678,
        "idle_s": 0.1 + 0.2,
        "accuracy_m": 4.900000095,
        "speed_mps": 4.2000002,
    }
    assert rounded({"evidence": values, "note": 1 / 3}, "answer") == {
        "evidence": {"lat": 36.3051235, "idle_s": 0.3, "accuracy_m": 4.9, "speed_mps": 4.2},
        "note": 1 / 3,
    }
