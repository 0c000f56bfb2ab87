"""Drawing zones through the API: versions, ends, refusals, and two people at once."""

from __future__ import annotations

import gzip
import json
from collections import deque
from typing import Any

import shapely
import shapely.affinity

from dashboards.app import create_app
from geofence.zones import Zones
from ingest.errors import StoreUnavailable
from tests.dashboards.conftest import Api
from tests.dashboards.district import NINE_MS, District

DAY_MS = 86_400_000
TEN = "2025-11-23T10:00:00+08:00"
ZONES = "/api/v1/zones"


def outline(api: Api, zone_id: str = "cy-04") -> dict[str, Any]:
    """A zone as it is, to be drawn anew."""
    features = api.get(ZONES).json()["features"]
    found = next(each for each in features if each["id"] == zone_id)
    named = ("name", "name_zh", "policy", "code")
    properties = {key: found["properties"][key] for key in named}
    return {"type": "Feature", "geometry": found["geometry"], "properties": properties}


def half(api: Api, zone_id: str = "cy-04", **properties: Any) -> dict[str, Any]:
    """The western half of a zone, or about that."""
    drawn = outline(api, zone_id)
    (ring,) = drawn["geometry"]["coordinates"]
    west, east = min(lng for lng, _ in ring), max(lng for lng, _ in ring)
    south, north = min(lat for _, lat in ring), max(lat for _, lat in ring)
    lng, lat = (west + east) / 2, (south + north) / 2
    box = [[lng - 0.01, lat - 0.005], [lng, lat - 0.005], [lng, lat + 0.005]]
    box += [[lng - 0.01, lat + 0.005], box[0]]
    box = [[round(lng, 7), round(lat, 7)] for lng, lat in box]
    drawn["geometry"] = {"type": "Polygon", "coordinates": [box]}
    drawn["properties"] |= properties
    return drawn


def put(api: Api, drawn: object, zone_id: str = "cy-04", query: str = "", **headers: str) -> Any:
    """Draw it over the zones there are."""
    headers = {"If-Match": f'"{api.get(ZONES).json()["version"]}"', **headers}
    return api.ask("PUT", f"{ZONES}/{zone_id}{query}", json=drawn, headers=headers)


def delete(api: Api, zone_id: str, body: object = None, **headers: str) -> Any:
    """Let it end."""
    headers = {"If-Match": api.get(ZONES).json()["version"], **headers}
    return api.ask("DELETE", f"{ZONES}/{zone_id}", json=body, headers=headers)


def problems(answer: Any) -> list[str]:
    """Where and what, of a refusal of the zones."""
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid_zones")
    return [f"{each['where']}: {each['message']}" for each in answer.json()["problems"]]


def test_a_zone_is_drawn_anew_from_now_on(api: Api, district: District) -> None:
    """The version before it ends now; the map of before is still to be had."""
    before = outline(api)["geometry"]
    drawn = half(api)
    answer = put(api, drawn)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["live"], told["dry_run"], told["at"]) == (True, False, "2025-11-23T09:00:00+08:00")
    assert told["cells_total"] == district.zones.cells("cy-04").size
    bounds = [
        (each["properties"]["valid_from"], each["properties"]["valid_to"])
        for each in told["versions"]["features"]
    ]
    assert bounds == [(None, told["at"]), (told["at"], None)]
    assert outline(api)["geometry"] == drawn["geometry"] != before
    then = api.get(f"{ZONES}?at=2025-11-23T08:59:59").json()["features"]
    assert next(each["geometry"] for each in then if each["id"] == "cy-04") == before
    assert "state" not in then[0]["properties"]
    assert [len(zones.zones) for zones in district.saved] == [10]
    versions = api.get(f"{ZONES}/cy-04/versions")
    assert versions.json() == told["versions"]
    assert versions.headers["etag"] == answer.headers["etag"] == f'"{told["version"]}"'


def test_a_planned_version_gives_way_to_another(api: Api, district: District) -> None:
    """What was to come later is replaced; until then nothing changes."""
    before = outline(api)["geometry"]
    assert put(api, half(api, valid_from=TEN)).status_code == 200
    assert outline(api)["geometry"] == before
    answer = put(api, half(api, valid_from="2025-11-23T09:30", name="Renamed"))
    features = answer.json()["versions"]["features"]
    assert [each["properties"]["valid_from"] for each in features] == [
        None, "2025-11-23T09:30:00+08:00"
    ]  # fmt: skip
    district.now_ms = NINE_MS + 1_800_000
    assert outline(api)["properties"]["name"] == "Renamed"


def test_a_new_zone_is_drawn_beside_the_others(api: Api, district: District) -> None:
    """Without a name in Chinese and a code; it is judged once it is there."""
    drawn = half(api)
    assert put(api, half(api)).status_code == 200
    (ring,) = drawn["geometry"]["coordinates"]
    drawn["geometry"]["coordinates"] = [[[lng + 0.01, lat] for lng, lat in ring]]
    drawn["properties"] = {"name": "East", "policy": "core"}
    assert put(api, drawn, "new-1").json()["cells_total"] > 0
    found = api.get(ZONES).json()["features"]
    assert [each["id"] for each in found][-1] == "new-1"
    assert "state" not in found[-1]["properties"]


def test_a_dry_run_changes_nothing(api: Api, district: District) -> None:
    """It needs no If-Match, and says how many cells there would be."""
    version = api.get(ZONES).json()["version"]
    answer = api.ask("PUT", f"{ZONES}/cy-04?dry_run=true", json=half(api))
    assert answer.json()["dry_run"] is True
    assert 0 < answer.json()["cells_total"] < district.zones.cells("cy-04").size
    assert (api.get(ZONES).json()["version"], district.saved) == (version, [])


def test_everything_that_is_wrong_is_said_at_once(api: Api, district: District) -> None:
    """The time, the policy, the name and the outline of one request."""
    drawn = half(api, policy="cor", name=" ", valid_from="2025-11-23T08:00")
    drawn["geometry"]["coordinates"][0].pop()
    found = problems(put(api, drawn, query="?dry_run=true"))
    assert len(found) == 4
    for said in ("valid_from: lies in the past", "policy", "name is empty", "ring is open"):
        assert any(said in each for each in found), (said, found)
    overlap = half(api, "cy-05")
    assert any("overlaps" in each and "cy-05" in each for each in problems(put(api, overlap)))
    assert problems(put(api, half(api, valid_from="noon"))) == [
        "valid_from: 'noon' is not a time between the years 1970 and 2100; write it "
        "like 2026-05-01T08:00:00+08:00"
    ]
    assert problems(put(api, half(api), "no zone"))
    assert district.saved == []


def test_the_second_of_two_does_not_undo_the_first(api: Api, district: District) -> None:
    """412 with the version there is now; without a version 428; `*` is over whatever there is."""
    version = api.get(ZONES).json()["version"]
    drawn = half(api)
    assert put(api, drawn).status_code == 200
    late = put(api, half(api, name="Late"), **{"If-Match": version})
    assert (late.status_code, late.json()["reason"]) == (412, "zones_changed")
    assert late.json()["version"] == api.get(ZONES).json()["version"] != version
    none = api.ask("PUT", f"{ZONES}/cy-04", json=drawn)
    assert (none.status_code, none.json()["reason"]) == (428, "if_match_missing")
    assert len(district.saved) == 1
    assert put(api, drawn, **{"If-Match": "*"}).status_code == 200


def test_a_zone_ends(api: Api, district: District) -> None:
    """Now or later; its past stays, and it cannot end twice."""
    assert delete(api, "cy-04", {"valid_to": TEN}).json()["cells_total"] is None
    ids = [each["id"] for each in api.get(ZONES).json()["features"]]
    assert "cy-04" in ids
    assert delete(api, "cy-04").status_code == 200
    ids = [each["id"] for each in api.get(ZONES).json()["features"]]
    assert "cy-04" not in ids
    again = delete(api, "cy-04")
    assert (again.status_code, again.json()["reason"]) == (409, "zone_ended")
    assert delete(api, "cy-99").status_code == 404
    assert api.get("/api/v1/coverage/cy-04").status_code == 404
    assert api.get("/api/v1/coverage/cy-04?at=2025-11-23T08:00").status_code == 200


def test_the_last_zone_cannot_end(api: Api) -> None:
    """A district has at least one."""
    ids = [each["id"] for each in api.get(ZONES).json()["features"]]
    for zone_id in ids[:-1]:
        assert delete(api, zone_id).status_code == 200
    (said,) = problems(delete(api, ids[-1]))
    assert "last zone" in said


def test_what_leaves_the_grid_waits_for_the_next_start(api: Api, district: District) -> None:
    """It is saved, and says so; the map stays as it is, and what follows is over what was saved."""
    drawn = half(api)
    (ring,) = drawn["geometry"]["coordinates"]
    drawn["geometry"]["coordinates"] = [[[lng - 0.4, lat] for lng, lat in ring]]
    drawn["properties"]["code"] = None
    answer = put(api, drawn, "far").json()
    assert (answer["live"], answer["cells_total"] > 0) == (False, True)
    assert "far" not in [each["id"] for each in api.get(ZONES).json()["features"]]
    assert len(api.get(f"{ZONES}/far/versions").json()["features"]) == 1
    assert put(api, half(api)).json()["live"] is False
    assert len(district.saved[-1].zones) == 11


def test_what_cannot_be_saved_is_not_done(api: Api, district: District) -> None:
    """503; the zones are as they were."""

    def full(_: Zones) -> None:
        raise StoreUnavailable("drawn-zones.geojson cannot be written now: disk full")

    district.drawing.write = full
    before = api.get(ZONES).json()
    answer = put(api, half(api))
    assert (answer.status_code, answer.json()["reason"]) == (503, "storage_unavailable")
    assert api.get(ZONES).json() == before


def test_policies_are_told_as_they_are_without_a_campaign(api: Api) -> None:
    """Name, frequency, target and window of each."""
    found = api.get("/api/v1/policies").json()["policies"]
    assert {each["name"] for each in found} >= {"core", "residential"}
    assert set(found[0]) == {"name", "frequency_s", "target", "window"}


def test_a_window_is_of_the_zone_at_its_end(api: Api, district: District) -> None:
    """Cells that a zone has lost count for the windows that ended before."""
    total = int(district.zones.cells("cy-04").size)
    put(api, half(api))
    district.now_ms = NINE_MS + 3_600_000
    window = "/api/v1/coverage/cy-04?from=2025-11-23T08:00&to="
    assert api.get(window + "2025-11-23T09:00").json()["cells_total"] == total
    assert api.get(window + "2025-11-23T10:00").json()["cells_total"] < total


def test_a_bike_was_in_the_zones_of_its_time(api: Api, district: District) -> None:
    """What it did in the morning stays what it was, whatever is drawn at noon."""
    district.patrol(3, "cy-04", at_ms=NINE_MS)
    district.now_ms = NINE_MS + 3_600_000
    before = api.get("/api/v1/bikes/bike-03/day").json()
    put(api, half(api, "cy-04"))
    assert delete(api, "cy-05").status_code == 200
    district.now_ms += 3_600_000
    after = Api(create_app(district.sources())).get("/api/v1/bikes/bike-03/day").json()
    assert [zone["zone_id"] for zone in after["zones"]] == ["cy-04"]
    assert after == before


def test_a_zone_that_has_ended_still_has_its_days(api: Api, district: District) -> None:
    """And what was asked of it then; now nothing is."""
    lat, lng = district.zones.grid.centre(district.zones.cells("cy-04")[:1])
    district.ride(1, float(lat[0]), float(lng[0]), at_ms=NINE_MS - DAY_MS)
    asked = api.get("/api/v1/zones/cy-04/policy").json()
    before = api.get("/api/v1/coverage/cy-04/days?to=2025-11-22").json()
    assert before["days"][-1]["cells_covered"] == 1
    assert delete(api, "cy-04").status_code == 200
    district.now_ms += 60_000
    assert api.get("/api/v1/coverage/cy-04/days?to=2025-11-22").json() == before
    assert api.get("/api/v1/coverage/cy-04/days?from=2025-11-23").json()["days"] == []
    refused = api.get("/api/v1/zones/cy-04/policy")
    assert (refused.status_code, refused.json()["reason"]) == (404, "unknown_zone")
    then = "/api/v1/zones/cy-04/policy?at=2025-11-23T08:59"
    assert api.get(then).json() == asked
    assert api.get("/api/v1/coverage/nowhere/days").status_code == 404


def test_a_narrow_overlap_is_let_pass_and_told(api: Api) -> None:
    """It is no mistake, and whoever draws reads which neighbour it is with, how wide and where."""
    drawn = outline(api)
    moved = shapely.affinity.translate(shapely.geometry.shape(drawn["geometry"]), xoff=1e-5)
    drawn["geometry"] = shapely.geometry.mapping(moved)
    told = put(api, drawn, query="?dry_run=true").json()["warnings"]
    assert told
    assert all(", 0." in each["message"] for each in told)
    assert all(each["message"].endswith('"') for each in told)
    assert put(api, outline(api), query="?dry_run=true").json()["warnings"] == []


def test_listeners_are_told_of_other_zones(district: District) -> None:
    """Once when they are drawn, once more when they come into force."""
    app = create_app(district.sources())
    api, feed = Api(app), app.state.feed
    mailbox = feed.join()

    def told() -> bool:
        deque(mailbox.take(), 0)
        feed.poll()
        return b'event: zones\ndata: {"version":"' in b"".join(mailbox.take())

    assert not told()
    put(api, half(api, valid_from=TEN))
    assert told()
    assert not told()
    district.now_ms = NINE_MS + 3_600_000
    assert told()
    assert not told()


def brought(api: Api, file: bytes, query: str = "", **headers: str) -> Any:
    """Import a file over the zones there are."""
    headers = {"If-Match": api.get(ZONES).json()["version"], **headers}
    headers["Content-Type"] = "application/octet-stream"
    return api.ask("POST", f"{ZONES}/import?policy=core{query}", content=file, headers=headers)


def test_all_zones_of_a_file_are_drawn_at_once(api: Api, district: District) -> None:
    """What the file does not say is filled in; the zones that are not in it stay, or end."""
    ring = "119.9,36.3 119.91,36.3 119.91,36.31 119.9,36.31 119.9,36.3"
    outline = "<Polygon><outerBoundaryIs><LinearRing><coordinates>{}</coordinates></LinearRing>"
    outline += "</outerBoundaryIs></Polygon>"
    marks = [
        f"<Placemark><name>West</name>{outline.format(ring)}</Placemark>",
        f'<Placemark><ExtendedData><Data name="zone_id"><value>w-2</value></Data></ExtendedData>'
        f"{outline.format(ring.replace('119.9', '119.8'))}</Placemark>",
    ]
    kml = f"<kml><Document>{''.join(marks)}</Document></kml>".encode()
    tried = brought(api, kml, "&dry_run=true").json()
    assert (tried["zone_ids"], tried["dry_run"], tried["live"]) == (["w-2", "zone-1"], True, False)
    assert tried["cells_total"] > 150
    assert len(district.drawing.zones.zones) == 9
    assert brought(api, gzip.compress(kml)).status_code == 200
    named = {zone.zone_id: zone.name for zone in district.drawing.zones.zones}
    assert (len(named), named["zone-1"], named["w-2"]) == (11, "West", "w-2")
    again = brought(api, kml, "&alone=true&valid_from=2025-11-24")
    assert again.status_code == 200
    at_ms = NINE_MS + 2 * DAY_MS
    assert [zone.zone_id for zone in district.drawing.zones.at(at_ms)] == ["w-2", "zone-1"]


def test_a_file_with_a_mistake_changes_nothing(api: Api, district: District) -> None:
    """Each mistake is told with its feature; so is a file that is none."""
    before = district.drawing.zones
    copies = {"type": "FeatureCollection", "features": [outline(api)] * 2}
    found = problems(brought(api, json.dumps(copies).encode()))
    assert any(each.startswith('zones: feature 1 (zone_id "zone-1"): overlaps') for each in found)
    assert problems(brought(api, b"<html/>")) == [
        "file: cannot be read: it is XML of <html>; zones are GeoJSON, KML or a zipped Shapefile"
    ]
    assert problems(brought(api, b'{"type": "FeatureCollection", "features": []}')) == [
        "file: has no features"
    ]
    assert brought(api, b"{}", **{"If-Match": "other"}).status_code == 412
    assert district.drawing.zones == before
