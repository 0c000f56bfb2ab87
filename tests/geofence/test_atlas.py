"""Zones through time: which era an instant lies in, and what redrawing changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from geofence.atlas import ALWAYS_MS, Atlas
from geofence.coverage import Ledger
from geofence.covered import covered, covered_since
from geofence.errors import ZonesError
from geofence.runs import Visits
from geofence.zones import Zone, Zones

T = 1_763_859_600_000
HOUR_MS = 3_600_000


def zone(zone_id: str, west: float, east: float, from_ms=None, to_ms=None, **more) -> Zone:
    """A block from one hundredth of a degree to another, some 2 km high."""
    outline = box(120 + west / 100, 36.30, 120 + east / 100, 36.32)
    return Zone(zone_id, zone_id, None, "core", None, outline, from_ms, to_ms)


MOVED = Zones(
    (
        zone("a", 0, 2, None, T),
        zone("a", 0, 3, T, T + HOUR_MS),
        zone("a", 0, 2, T + HOUR_MS, None),
        zone("b", 2, 4, None, T),
        zone("b", 3, 4, T, T + HOUR_MS),
        zone("b", 2, 4, T + HOUR_MS, T + 2 * HOUR_MS),
    )
)
"""The boundary of two zones moves east and back again; then one ends."""

ATLAS = Atlas(MOVED)
INSTANTS = [T - 1, T, T + HOUR_MS - 1, T + HOUR_MS, T + 2 * HOUR_MS - 1, T + 2 * HOUR_MS]


def test_an_era_begins_where_a_zone_does() -> None:
    """From its first instant on; all eras share the grid."""
    assert ATLAS.layout.starts == (ALWAYS_MS, T, T + HOUR_MS, T + 2 * HOUR_MS)
    widths = [ATLAS.at(at_ms).zones[0].geometry.bounds[2] for at_ms in INSTANTS]
    assert widths == pytest.approx([120.02, 120.03, 120.03, 120.02, 120.02, 120.02])
    assert [len(ATLAS.at(at_ms).zones) for at_ms in INSTANTS] == [2, 2, 2, 2, 2, 1]
    assert {era.zones.grid for era in ATLAS.layout.eras} == {ATLAS.grid}


def test_versions_that_differ_in_nothing_else_are_one_era() -> None:
    """An end and a beginning at one instant make none; zones that come back are one map."""
    same = Atlas(Zones((zone("a", 0, 2, None, T), zone("a", 0, 2, T, None))))
    assert len(same.layout.eras) == 1
    assert ATLAS.layout.eras[0].zones is ATLAS.layout.eras[2].zones
    again = ATLAS.lay(MOVED)
    assert [new.zones for new in again.eras] == [old.zones for old in ATLAS.layout.eras]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from(INSTANTS), st.integers(T - HOUR_MS, T + 3 * HOUR_MS)),
            st.floats(119.99, 120.05),
        ),
        max_size=12,
    )
)
def test_many_instants_at_once_are_each_by_itself(asked: list[tuple[int, float]]) -> None:
    """Owner of a cell and zone of a position, at an instant of their own, in any order."""
    at_ms = np.array([at for at, _ in asked], np.int64)
    lng = np.array([east for _, east in asked], np.float64)
    lat = np.full(lng.size, 36.31)
    cell = ATLAS.grid.cell_of(lat, lng)
    owner = ATLAS.layout.owner(cell, at_ms).tolist()
    inside = ATLAS.layout.zone_of(lat, lng, at_ms).tolist()
    now = ATLAS.at(T)
    own = ATLAS.layout.own(cell, at_ms, now).tolist()
    ids = [*ATLAS.layout.zone_ids, None]
    for n in range(len(asked)):
        zones = ATLAS.at(int(at_ms[n]))
        names = [*(z.zone_id for z in zones.zones), None]
        owned = names[zones.cell_zone[cell[n]]]
        assert ids[owner[n]] == owned
        assert ids[inside[n]] == names[zones.zone_of(lat[[n]], lng[[n]])[0]]
        then = [*(z.zone_id for z in now.zones), None][now.cell_zone[cell[n]]]
        assert own[n] == (owned is not None and owned == then)


def test_a_zone_is_there_since_its_first_outline() -> None:
    """Redrawing does not make it new; a break does, and before it there is nothing."""
    assert ATLAS.layout.since_ms("a", T + 90 * 60_000) is None
    gap = Atlas(
        Zones(
            (
                zone("a", 0, 2),
                zone("b", 2, 3, T, T + HOUR_MS),
                zone("b", 2, 4, T + HOUR_MS, T + 2 * HOUR_MS),
                zone("b", 2, 4, T + 3 * HOUR_MS, None),
            )
        )
    ).layout
    assert gap.since_ms("b", T + HOUR_MS + 5) == T
    assert gap.since_ms("b", T + 4 * HOUR_MS) == T + 3 * HOUR_MS
    assert gap.since_ms("b", T + 2 * HOUR_MS) == T + 2 * HOUR_MS


def test_redrawing_changes_what_comes_after_and_nothing_before() -> None:
    """Maps of the past are the very same; numbers of zones stay; the first change is told."""
    atlas = Atlas(Zones((zone("b", 2, 4),)))
    before = atlas.layout
    later = Zones((zone("a", 0, 2, T, None), zone("b", 2, 4, None, T), zone("b", 2, 3, T, None)))
    laid = atlas.lay(later)
    assert atlas.layout is before
    assert atlas.adopt(laid) == T
    assert atlas.at(T - 1) is before.eras[0].zones
    assert [z.zone_id for z in atlas.at(T).zones] == ["a", "b"]
    assert atlas.layout.zone_ids == ("b", "a")
    assert atlas.adopt(atlas.lay(later)) is None


def test_only_what_the_grid_covers_can_be_redrawn() -> None:
    """The margin is two kilometres, less a cell."""
    atlas = Atlas(Zones((zone("a", 0, 2),)))
    assert atlas.holds(Zones((zone("a", 0, 4),)))
    assert not atlas.holds(Zones((zone("a", 0, 4.3),)))
    assert not atlas.holds(Zones((zone("a", -2.3, 2),)))


def test_a_zone_without_cells_is_refused_in_any_era() -> None:
    """It is named; nothing changes."""
    thin = Zone("thin", "thin", None, "core", None, box(120.03, 36.30, 120.0302, 36.32), T, None)
    atlas = Atlas(Zones((zone("a", 0, 2),)))
    before = atlas.layout
    with pytest.raises(ZonesError, match="thin"):
        atlas.lay(Zones((zone("a", 0, 2), thin)))
    assert atlas.layout is before
    with pytest.raises(ZonesError, match="thin"):
        Atlas(Zones((zone("a", 0, 2), thin)))


def test_there_may_be_a_time_without_zones() -> None:
    """Then no cell belongs to one, and no position lies in one."""
    atlas = Atlas(Zones((zone("a", 0, 2, T, T + HOUR_MS),)))
    lat, lng = np.array([36.31]), np.array([120.01])
    for at_ms in (T - 1, T + HOUR_MS):
        assert atlas.at(at_ms).zone_of(lat, lng).tolist() == [-1]
        assert (atlas.at(at_ms).cell_zone == -1).all()
    assert atlas.at(T).zone_of(lat, lng).tolist() == [0]


@settings(max_examples=80)
@given(
    visits=st.lists(
        st.tuples(st.integers(0, 3), st.integers(T - 2 * HOUR_MS, T + 3 * HOUR_MS)), max_size=12
    ),
    from_ms=st.integers(T - 2 * HOUR_MS, T + 3 * HOUR_MS),
    length_ms=st.integers(1, 4 * HOUR_MS),
)
def test_a_cell_counts_for_the_zone_that_it_was_visited_in(
    visits: list[tuple[int, int]], from_ms: int, length_ms: int
) -> None:
    """Of the cells at the end of a window: those visited while they were the same zone's."""
    lng = np.array([120.005, 120.015, 120.025, 120.035])  # a, a, a or b, b
    cells = ATLAS.grid.cell_of(np.full(4, 36.31), lng)
    at_ms = np.array([at for _, at in visits], np.int64)
    cell = np.array([cells[n] for n, _ in visits], np.int32)
    # A bike of its own each, so that no visit hides an earlier one.
    bike = np.arange(len(visits), dtype=np.int32)
    ledger = Ledger(ATLAS.grid.size)
    ledger.add(Visits(bike, cell, at_ms, np.ones(len(visits), bool), at_ms, at_ms))
    to_ms = from_ms + length_ms
    zones = ATLAS.at(to_ms - 1)

    def owner(cell: int, at: int) -> str | None:
        then = ATLAS.at(at)
        return [*(z.zone_id for z in then.zones), None][then.cell_zone[cell]]

    expected = {
        int(c)
        for c, at in zip(cell, at_ms.tolist(), strict=True)
        if from_ms <= at < to_ms
        and owner(c, to_ms - 1) is not None
        and owner(c, at) == owner(c, to_ms - 1)
    }
    found = covered(ledger.view(), ATLAS.layout, zones, from_ms, to_ms)
    assert found.tolist() == sorted(expected)
    if to_ms > int(at_ms.max(initial=0)):
        since = covered_since(ledger.view(), ATLAS.layout, zones, from_ms)
        assert since.tolist() == sorted(expected)


def test_another_name_is_another_map() -> None:
    """A zone that is renamed has its new name from then on."""
    renamed = replace(zone("a", 0, 2, T, None), name="Zone A")
    atlas = Atlas(Zones((zone("a", 0, 2, None, T), renamed)))
    assert [atlas.at(at_ms).zones[0].name for at_ms in (T - 1, T)] == ["a", "Zone A"]
