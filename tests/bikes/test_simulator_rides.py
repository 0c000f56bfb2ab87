"""What the simulated bikes really do, and what their receivers make of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bikes.simulator import SimulationPlan, SimZone
from bikes.simulator.rider import ACCELERATION_MPS2, States, Track, ride
from bikes.simulator.simulation import assemble
from bikes.simulator.town import Streets, lay_streets
from bikes.simulator.tracker import Fixes, Receiver
from tests.fleets import HOUR_MS, QUIET, START_MS, plan

KMH = 1 / 3.6


def any_seed(examples: int) -> Callable[[Callable[[int], None]], Callable[[], None]]:
    """Run a test with some seeds."""
    return lambda test: settings(max_examples=examples)(given(st.integers(0, 2**63))(test))


def tracks(plan: SimulationPlan, hours: float) -> tuple[Streets, list[Track]]:
    streets = lay_streets(plan)
    bikes = assemble(plan, streets)
    return streets, [bike.rider.until(START_MS + round(hours * HOUR_MS)) for bike in bikes]


def points(streets: Streets, track: Track) -> NDArray[np.object_]:
    lat, lng = streets.plane.degrees(track.states.x_m, track.states.y_m)
    return shapely.points(lng, lat)


def metres_from(streets: Streets, track: Track, zone: int, plan: SimulationPlan) -> float:
    """How near a track comes to a zone."""
    area = streets.plane.metres(plan.zones[zone].geometry)
    places = shapely.points(track.states.x_m, track.states.y_m)
    return float(shapely.distance(places, area).min())


@any_seed(5)
def test_riding_speed_is_that_of_a_bike(seed: int) -> None:
    """Between pulling off and stopping a bike does 8 to 20 km/h, and never jumps."""
    riding = plan(seed, bikes=2, interval_s=1.0, delayed=None)
    _, both = tracks(riding, 1.0)
    for track in both:
        on_duty = ~track.parked
        speed = track.states.speed_mps[on_duty]
        assert speed.max() <= 20 * KMH + 1e-9
        assert np.abs(np.diff(speed)).max() <= ACCELERATION_MPS2 + 1e-6
        moving = speed > 0
        slow = moving & (speed < 8 * KMH - 1e-9)
        assert slow.sum() < 0.1 * moving.sum()
        assert 0.5 < moving.mean() < 0.95
        # Slow only while pulling off or braking: a stand is a few seconds away.
        stands = np.flatnonzero(~moving)
        near = np.abs(np.flatnonzero(slow)[:, None] - stands[None, :]).min(axis=1, initial=9_999)
        assert near.size == 0 or near.max() <= 8 or slow[:8].any()
        step = np.hypot(np.diff(track.states.x_m), np.diff(track.states.y_m))
        assert step[np.diff(track.at_ms) == 1_000].max() <= 20 * KMH + 1e-6


@any_seed(5)
def test_nobody_leaves_the_zone_or_comes_near_the_neglected_one(seed: int) -> None:
    """True positions lie in the bike's zone; cells of the neglected zone are not touched."""
    riding = plan(seed, reassigned=0.0)
    streets, all_tracks = tracks(riding, 3.0)
    for track, zone in zip(all_tracks, riding.stations(), strict=True):
        assert shapely.covers(riding.zones[zone].geometry, points(streets, track)).all()
        assert metres_from(streets, track, 3, riding) > 141.5
        if zone != 1:
            assert metres_from(streets, track, 1, riding) > 141.5


def test_the_delayed_zone_is_patrolled_late() -> None:
    """Its inspectors stay parked until the delay is over, then cover ground in minutes."""
    late = plan(delayed_by_s=1_200.0)
    _, all_tracks = tracks(late, 0.5)
    crew = [t for t, z in zip(all_tracks, late.stations(), strict=True) if z == 1]
    assert crew
    for track in crew:
        waits = track.at_ms < START_MS + 1_200_000
        assert track.parked[waits].all()
        assert np.ptp(track.states.x_m[waits]) == np.ptp(track.states.y_m[waits]) == 0.0
        out = track.at_ms >= START_MS + 1_260_000
        assert np.ptp(track.states.x_m[out]) + np.ptp(track.states.y_m[out]) > 300


@any_seed(4)
def test_a_day_has_its_breaks_and_swaps(seed: int) -> None:
    """Bikes park at noon and at night; batteries drain, are swapped, and never run out."""
    day = plan(seed, interval_s=10.0)
    _, all_tracks = tracks(day, 26.0)
    for track, zone in zip(all_tracks, day.stations(), strict=True):
        clock = (track.at_ms - START_MS) / HOUR_MS + 8
        # A ride that began before the break is finished.
        off = ((clock > 12.1) & (clock < 13.5)) | ((clock > 18.1) & (clock < 32.0))
        assert (track.states.speed_mps[off] == 0).all()
        assert track.parked[off].mean() > 0.95
        duty = (clock > 14.0) & (clock < 17.8)
        assert not track.parked[duty].any()
        assert (track.states.speed_mps[clock > 32.6] > 0).any()

        charge = track.states.battery_percent
        assert charge.min() > 0
        assert charge.max() <= 100
        swapped = np.diff(charge) > 50
        assert 1 <= swapped.sum() <= 4
        assert (track.states.speed_mps[:-1][swapped] == 0).all()
        assert (np.diff(charge)[~swapped] <= 0).all()
        km = track.states.speed_mps[clock < 32].sum() * 10 / 1000
        assert (40 if zone == 1 else 50) < km < 110


def test_stops_take_as_long_as_an_inspection() -> None:
    """Most stops are the planned 20 to 90 s; a few are longer."""
    riding = plan(interval_s=1.0, delayed=None)
    _, all_tracks = tracks(riding, 3.5)
    lengths = []
    for track in all_tracks:
        still = np.concatenate([[False], (track.states.speed_mps == 0) & ~track.parked, [False]])
        edges = np.flatnonzero(np.diff(still.astype(int)))
        lengths += (edges[1::2] - edges[::2]).tolist()
    stops = np.array(lengths[1:-1])
    assert stops.size > 200
    assert ((stops >= 19) & (stops <= 91)).mean() > 0.9
    assert (stops >= 150).any()
    assert stops.max() <= 421


def test_some_are_sent_to_the_next_zone_and_come_back() -> None:
    """A reassigned bike rides in an adjacent zone and ends the shift at home; the first stays."""
    riding = plan(reassigned=1.0, neglected=None, delayed=None, bikes=8, interval_s=10.0)
    streets, all_tracks = tracks(riding, 4.0)
    stations = riding.stations()
    for n, (track, zone) in enumerate(zip(all_tracks, stations, strict=True)):
        home = shapely.covers(riding.zones[zone].geometry, points(streets, track))
        if n == stations.index(zone):
            assert home.all()
        else:
            assert 0.6 < home.mean() < 0.95
            assert home[0]
            assert home[-1]


def test_streets_are_a_town_plan() -> None:
    """Blocks are 120 to 150 m; every crossing of a part can be reached within the zone."""
    town = plan(neglected=None, delayed=None)
    streets = lay_streets(town)
    x, y = np.array(streets.x_m), np.array(streets.y_m)
    lengths = np.array(
        [np.hypot(x[a] - x[b], y[a] - y[b]) for a, ways in enumerate(streets.ways) for b in ways]
    )
    assert 125 < np.median(lengths) < 145
    assert (lengths < 200).all()
    for zone, parts in enumerate(streets.parts):
        assert len(parts) == 1
        assert len(parts[0]) > 60
        only = frozenset({zone})
        for crossing in parts[0][::10]:
            assert streets.route(parts[0][0], only, crossing.__eq__) is not None
    assert streets.neighbours(streets.parts[0][0]) == [1, 2]


def test_a_river_is_crossed_by_a_bridge() -> None:
    """Parts of a zone that lie close are joined; a part far away has inspectors of its own."""
    town = plan()
    south, north = 36.3050, 36.3066
    lng = (120.3790, 120.3960)
    river = shapely.box(lng[0], south, lng[1], north)
    west = town.zones[0]
    cut = SimZone("sw", west.geometry.difference(river))
    streets = lay_streets(plan(zones=[cut], neglected=None, delayed=None))
    assert [len(parts) for parts in streets.parts] == [1]

    away = shapely.transform(west.geometry, lambda lng_lat: lng_lat + np.array([0.1, 0.0]))
    double = SimZone("sw", shapely.union(west.geometry, away))
    apart = plan(zones=[double], neglected=None, delayed=None, bikes=4)
    streets, all_tracks = tracks(apart, 0.2)
    assert [len(parts) for parts in streets.parts] == [2]
    east = [track.states.x_m[0] > 0 for track in all_tracks]
    assert sorted(east) == [False, False, True, True]


def test_a_leg_obeys_its_speed() -> None:
    """Position is the integral of speed: a ride of 400 m at 4 m/s, with ramps of 0.5 m/s²."""
    leg = ride(10.0, [(0.0, 0.0), (0.0, 200.0), (200.0, 200.0)], [4.0] * 3, 0.5, 80.0, 0.01, 2.0)
    # 8 s and 16 m for each ramp; the sharp turn is taken at 2.8 m/s.
    slowed = 2 * (200 - 16) / 3.4
    assert leg.ends_s - leg.begins_s == pytest.approx(16 + slowed)
    assert leg.charge == (80.0, pytest.approx(76.0))
    at_s = np.linspace(leg.begins_s, leg.ends_s, 20_001)
    states = leg.at(at_s)
    middle = (states.speed_mps[1:] + states.speed_mps[:-1]) / 2
    ridden = np.concatenate([[0.0], np.cumsum(middle * np.diff(at_s))])
    np.testing.assert_allclose(states.x_m + states.y_m, ridden, atol=1e-6)
    assert states.speed_mps[[0, -1]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert set(states.heading_deg.tolist()) == {0.0, 90.0}


def test_drift_at_rest_is_that_of_real_receivers() -> None:
    """At rest fixes wander by some 2.5 m in 3 s, around the true place, and look like walking."""
    fixes, (x, y) = fixed(plan(**QUIET))
    step = np.hypot(np.diff(x), np.diff(y))
    assert 2.0 < np.sqrt((step**2).mean()) < 3.0
    assert 3.0 < x.std() < 4.0
    assert abs(x.mean()) < 0.3
    assert np.median(fixes.speed_mps) * 3.6 == pytest.approx(2.6, abs=0.8)
    assert 3 < np.median(fixes.accuracy_m) < 8


def test_bad_fixes_are_rare_and_of_two_kinds() -> None:
    """Some fixes admit that they are bad; a few are far off and sure of themselves."""
    fixes, (x, y) = fixed(plan(**(QUIET | {"inaccurate": 0.01, "outlier": 0.002})))
    off = np.hypot(x, y)
    admits = fixes.accuracy_m >= 60
    sure = (off > 290) & ~admits
    assert 0.007 < admits.mean() < 0.013
    assert fixes.accuracy_m.max() <= 150
    assert off[admits].max() < 100
    assert 0.001 < sure.mean() < 0.003
    assert fixes.accuracy_m[sure].max() <= 4
    assert off[~admits & ~sure].max() < 25


def fixed(plan: SimulationPlan) -> tuple[Fixes, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Fixes of a bike that stands for a day at the origin, and their errors [m]."""
    plane = lay_streets(plan).plane
    n = 28_800
    zero = np.zeros(n)
    at_ms = START_MS + 3_000 * np.arange(1, n + 1)
    states = States(zero, zero, zero, zero, zero + 50)
    fixes = Receiver(plan, plane, np.random.default_rng(1)).fix(
        Track(at_ms, states, np.zeros(n, dtype=bool))
    )
    return fixes, (
        (fixes.lng_deg - plane.lng_deg) * plane.per_lng,
        (fixes.lat_deg - plane.lat_deg) * plane.per_lat,
    )
