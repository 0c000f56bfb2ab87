"""Zones, coverage, cells and the overlay."""

from __future__ import annotations

import io

import numpy as np
import pytest
import shapely
from PIL import Image

from dashboards.api.cells import AGE_CLASSES, age_class
from tests.dashboards.conftest import Api
from tests.dashboards.district import NINE_MS, District


def centre(district: District, zone_id: str, n: int = 0) -> tuple[float, float]:
    """Centre of the n-th cell of a zone."""
    lat, lng = district.zones.grid.centre(district.zones.cells(zone_id)[[n]])
    return float(lat[0]), float(lng[0])


def test_zones_are_geojson_with_live_coverage(api: Api, district: District) -> None:
    """The 9 zones have valid outlines, their state, and a place for their name inside them."""
    district.stand("cy-08", "overdue", covered_ratio=0.25)
    answer = api.get("/api/v1/zones")
    assert answer.headers["content-type"] == "application/geo+json"
    found = answer.json()
    assert found["at"] == "2025-11-23T09:00:00+08:00"
    assert [f["id"] for f in found["features"]] == [f"cy-0{n}" for n in range(1, 10)]
    for feature in found["features"]:
        outline = shapely.geometry.shape(feature["geometry"])
        assert outline.is_valid
        assert outline.contains(shapely.Point(feature["properties"]["label"]))
    south_market = found["features"][7]["properties"]
    assert (south_market["state"], south_market["covered_ratio"]) == ("overdue", 0.25)
    assert south_market["name_zh"] == "南市核心片区"
    assert found["grid"]["rows"] * found["grid"]["cols"] == district.zones.grid.size


def test_outlines_alone_are_the_same_until_redrawn(api: Api, district: District) -> None:
    """Whatever becomes of the zones' state; the outlines are those with coverage."""
    whole = api.get("/api/v1/zones").json()
    first = api.get("/api/v1/zones?coverage=false")
    alone = first.json()
    assert "state" not in alone["features"][0]["properties"]
    for with_state, without in zip(whole["features"], alone["features"], strict=True):
        assert without["geometry"] == with_state["geometry"]
        assert without["properties"].items() <= with_state["properties"].items()
    district.now_ms += 1000
    district.stand("cy-08", "overdue")
    for tag, status in ((first.headers["etag"], 304), ('"other"', 200)):
        again = api.get("/api/v1/zones?coverage=false", headers={"If-None-Match": tag})
        assert (again.status_code, again.headers["etag"]) == (status, first.headers["etag"])
        assert again.headers["cache-control"] == "private, no-cache"


def test_coverage_lists_the_most_urgent_zone_first(api: Api, district: District) -> None:
    """Overdue before due before compliant, and within a state by the time that is left."""
    district.stand("cy-05", "due", due_in_s=300.0)
    district.stand("cy-02", "due", due_in_s=60.0)
    district.stand("cy-09", "overdue", due_in_s=-5.0)
    district.stand("cy-01", "off_duty", due_in_s=None)
    rows = api.get("/api/v1/coverage").json()["zones"]
    assert [row["zone_id"] for row in rows][:3] == ["cy-09", "cy-02", "cy-05"]
    assert rows[-1]["zone_id"] == "cy-01"
    assert rows[0]["window_from"] == "2025-11-23T08:00:00+08:00"


@pytest.mark.parametrize(
    "at",
    [
        "2025-11-23T08:30:00+08:00",
        "2025-11-23T08:30:00%2B08:00",
        "2025-11-23T00:30:00Z",
        "2025-11-23T08:30",
        "2025-11-23 08:30:00",
        str(NINE_MS - 30 * 60_000),
    ],
)
def test_an_instant_may_be_written_in_many_ways(api: Api, district: District, at: str) -> None:
    """With an offset (its plus lost in the query or not), in the district's time, or in ms."""
    half_past = NINE_MS - 30 * 60_000
    for bike, at_ms in enumerate((half_past, half_past + 60_000)):
        district.patrol(bike, "cy-01", at_ms=at_ms, fixes=120)
    zone = api.get(f"/api/v1/coverage/cy-01?at={at}").json()
    assert zone["at"] == "2025-11-23T08:30:00+08:00"
    assert zone["last_patrolled"].startswith("2025-11-23T08:29:")


def test_a_date_alone_is_its_first_instant_in_the_district(api: Api) -> None:
    """Midnight in Shanghai, not in Greenwich."""
    zone = api.get("/api/v1/coverage/cy-01?at=2025-11-23").json()
    assert zone["at"] == "2025-11-23T00:00:00+08:00"


def test_a_window_counts_the_cells_visited_in_it(api: Api, district: District) -> None:
    """Rounded outwards to quarters of an hour, and the answer says so."""
    total = int(district.zones.cells_total[district.zones.index("cy-04")])
    for n, minute in enumerate((0, 20, 40)):
        district.ride(0, *centre(district, "cy-04", n), at_ms=NINE_MS + minute * 60_000)
    window = "from=2025-11-23T09:01:00&to=2025-11-23T09:31:00"
    found = api.get(f"/api/v1/coverage/cy-04?{window}").json()
    assert found["from"] == "2025-11-23T09:00:00+08:00"
    assert found["to"] == "2025-11-23T09:45:00+08:00"
    assert (found["cells_covered"], found["cells_total"]) == (3, total)
    earlier = api.get("/api/v1/coverage/cy-04?from=2025-11-23T09:00&to=2025-11-23T09:30").json()
    assert earlier["cells_covered"] == 2
    assert earlier["covered_ratio"] == pytest.approx(2 / total, abs=1e-6)


def test_an_unknown_zone_is_answered_with_those_like_it(api: Api) -> None:
    """404 says which zones there are nearby."""
    answer = api.get("/api/v1/coverage/cy-1")
    assert answer.status_code == 404
    problem = answer.json()
    assert problem["reason"] == "unknown_zone"
    assert "cy-01" in problem["near"]
    assert "cy-01" in problem["detail"]


def test_cells_say_when_and_how_they_were_seen(api: Api, district: District) -> None:
    """Observed or inferred, by the last visit up to the instant that is asked for."""
    cells = district.zones.cells("cy-04")
    district.ride(0, *centre(district, "cy-04", 0), at_ms=NINE_MS - 90_000)
    district.ride(0, *centre(district, "cy-04", 1), at_ms=NINE_MS - 60_000, observed=False)
    found = api.get("/api/v1/cells?zone_id=cy-04").json()
    assert len(found["cells"]) == len(cells)
    by_cell = {cell["cell"]: cell for cell in found["cells"]}
    first, second, third = (by_cell[int(cell)] for cell in cells[:3])
    assert (first["seen"], first["age_s"]) == ("observed", 90.0)
    assert first["last_visit"] == "2025-11-23T08:58:30+08:00"
    assert (second["seen"], second["age_s"]) == ("inferred", 60.0)
    assert (third["seen"], third["age_s"], third["last_visit"]) == (None, None, None)
    before = api.get("/api/v1/cells?zone_id=cy-04&at=2025-11-23T08:58:45").json()
    seen = [cell["seen"] for cell in before["cells"] if cell["seen"]]
    assert seen == ["observed"]


def test_cells_are_paged_without_gap_or_repeat(api: Api, district: District) -> None:
    """Following next_cursor gives every patrollable cell once."""
    cells: list[int] = []
    cursor = ""
    while True:
        page = api.get(f"/api/v1/cells?limit=700{cursor}").json()
        cells += [cell["cell"] for cell in page["cells"]]
        if "next_cursor" not in page:
            break
        assert len(page["cells"]) == 700
        cursor = f"&cursor={page['next_cursor']}"
    assert cells == np.flatnonzero(district.zones.cell_zone >= 0).tolist()


def test_the_overlay_is_a_pixel_a_cell_north_up(api: Api, district: District) -> None:
    """A fresh cell has the first colour; everything else is transparent."""
    district.ride(0, *centre(district, "cy-04"))
    answer = api.get("/api/v1/cells.png")
    assert answer.headers["content-type"] == "image/png"
    grid = district.zones.grid
    image = Image.open(io.BytesIO(answer.content)).convert("RGBA")
    assert image.size == (grid.cols, grid.rows)
    row, col = divmod(int(district.zones.cells("cy-04")[0]), grid.cols)
    assert image.getpixel((col, grid.rows - 1 - row)) == AGE_CLASSES[0].rgba
    assert np.count_nonzero(np.asarray(image)[:, :, 3]) == 1
    south, west, north, east = map(float, answer.headers["grid-box"].split(","))
    assert south == pytest.approx(grid.south_deg, abs=1e-6)
    assert (west, north, east) == pytest.approx(
        (grid.west_deg, grid.north_deg, grid.east_deg), abs=1e-6
    )


def test_an_unchanged_overlay_is_not_sent_again(api: Api, district: District) -> None:
    """304 for the entity tag that the client has; the whole image once a class changed."""
    district.ride(0, *centre(district, "cy-04"))
    tag = api.get("/api/v1/cells.png").headers["etag"]
    again = api.get("/api/v1/cells.png", headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    later = api.get("/api/v1/cells.png?at=2025-11-23T10:00:00", headers={"If-None-Match": tag})
    assert later.status_code == 200
    assert later.headers["etag"] != tag


def test_age_classes_have_their_limits_inside() -> None:
    """A cell visited exactly 30 min ago is still in the first class; 0 is never."""
    limits = [each.up_to_s for each in AGE_CLASSES if each.up_to_s is not None]
    ages_s = [0, *(s for limit in limits for s in (limit, limit + 1))]
    last_ms = NINE_MS - np.array(ages_s, np.int64) * 1000
    assert age_class(last_ms, NINE_MS).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert age_class(np.array([0, NINE_MS + 5000]), NINE_MS).tolist() == [0, 1]
    assert age_class(np.empty(0, np.int64), NINE_MS).shape == (0,)
