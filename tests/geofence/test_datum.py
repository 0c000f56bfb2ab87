"""Datum conversion: published values, accuracy, and a scalar twin with `math`."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence import datum
from geofence.datum import CHINA


def gcj02_to_bd09(lat, lng):
    """The second displacement alone."""
    return datum._inside_china(lat, lng, datum._to_bd)


def bd09_to_gcj02(lat, lng):
    """And its inverse."""
    return datum._inside_china(lat, lng, datum._from_bd)


FORWARD = {
    "gcj02": datum.wgs84_to_gcj02,
    "bd09-of-gcj02": gcj02_to_bd09,
    "bd09": datum.wgs84_to_bd09,
}
INVERSE = {
    "gcj02": datum.gcj02_to_wgs84,
    "bd09-of-gcj02": bd09_to_gcj02,
    "bd09": datum.bd09_to_wgs84,
}
EVERY = [*FORWARD.values(), *INVERSE.values()]
METRES = 111_320.0
MIDDLE = (36.3068, 120.3891)

in_china = st.tuples(
    st.floats(CHINA.south_deg, CHINA.north_deg), st.floats(CHINA.west_deg, CHINA.east_deg)
)


def around_chengyang(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(36.173, 36.399, n), rng.uniform(120.107, 120.580, n)


def twin_gcj02(lat: float, lng: float) -> tuple[float, float]:
    """WGS-84 to GCJ-02 as it is published, one position at a time."""
    if not (72.004 <= lng <= 137.8347 and 0.8293 <= lat <= 55.8271):
        return lat, lng
    a, ee = 6378245.0, 0.00669342162296594323
    x, y, pi, sin = lng - 105.0, lat - 35.0, math.pi, math.sin
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    d_lat += (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    d_lat += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    d_lat += (160.0 * sin(y / 12.0 * pi) + 320 * sin(y * pi / 30.0)) * 2.0 / 3.0
    d_lng = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    d_lng += (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    d_lng += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    d_lng += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    magic = 1 - ee * sin(math.radians(lat)) ** 2
    d_lat = d_lat * 180.0 / ((a * (1 - ee)) / (magic * math.sqrt(magic)) * pi)
    d_lng = d_lng * 180.0 / (a / math.sqrt(magic) * math.cos(math.radians(lat)) * pi)
    return lat + d_lat, lng + d_lng


def twin_bd09(lat: float, lng: float) -> tuple[float, float]:
    """GCJ-02 to BD-09 as it is published, in polar form."""
    if not (72.004 <= lng <= 137.8347 and 0.8293 <= lat <= 55.8271):
        return lat, lng
    x_pi = math.pi * 3000.0 / 180.0
    z = math.sqrt(lng * lng + lat * lat) + 0.00002 * math.sin(lat * x_pi)
    theta = math.atan2(lat, lng) + 0.000003 * math.cos(lng * x_pi)
    return z * math.sin(theta) + 0.006, z * math.cos(theta) + 0.0065


@pytest.mark.parametrize(
    ("wgs", "gcj"),
    [
        ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
        ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
        ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
    ],
)
def test_published_values_are_met_within_a_centimetre(wgs, gcj):
    """The check values of other implementations are reproduced, and undone."""
    there = datum.wgs84_to_gcj02(*wgs)
    assert there == pytest.approx(gcj, abs=0.01 / METRES)
    assert datum.gcj02_to_wgs84(*gcj) == pytest.approx(wgs, abs=0.01 / METRES)


def test_gcj02_moves_a_bike_four_cells_in_chengyang():
    """A wrong datum is an error of 414 to 487 m everywhere in the district."""
    lat, lng = around_chengyang(5_000)
    there_lat, there_lng = datum.wgs84_to_gcj02(lat, lng)
    moved_m = METRES * np.hypot(
        there_lat - lat, (there_lng - lng) * math.cos(math.radians(MIDDLE[0]))
    )
    assert 410 < moved_m.min() < 420
    assert 480 < moved_m.max() < 490


@pytest.mark.parametrize("name", FORWARD)
def test_the_inverse_is_exact_to_a_tenth_of_a_millimetre_in_the_district(name):
    """There and back ends within 0.04 mm (GCJ-02) of where it began."""
    lat, lng = around_chengyang(5_000)
    back_lat, back_lng = INVERSE[name](*FORWARD[name](lat, lng))
    assert np.abs(back_lat - lat).max() * METRES < 4e-5
    assert np.abs(back_lng - lng).max() * METRES < 4e-5


@pytest.mark.parametrize("name", FORWARD)
@given(position=in_china)
def test_the_inverse_is_exact_to_under_a_millimetre_anywhere_in_china(name, position):
    """There and back is the identity, except across the edge of the box."""
    there = tuple(float(v) for v in FORWARD[name](*position))
    edge = 0.02
    if not (
        CHINA.south_deg + edge < there[0] < CHINA.north_deg - edge
        and CHINA.west_deg + edge < there[1] < CHINA.east_deg - edge
    ):
        return
    assert INVERSE[name](*there) == pytest.approx(position, abs=0.0005 / METRES)


@given(positions=st.lists(in_china, max_size=20))
def test_the_forward_conversions_equal_the_published_formulas(positions):
    """Each element equals a scalar twin written with `math`."""
    lat, lng = np.array(positions, dtype=float).reshape(-1, 2).T
    gcj = np.column_stack(datum.wgs84_to_gcj02(lat, lng))
    bd = np.column_stack(gcj02_to_bd09(lat, lng))
    both = np.column_stack(datum.wgs84_to_bd09(lat, lng))
    for n, position in enumerate(positions):
        assert gcj[n] == pytest.approx(twin_gcj02(*position), abs=1e-11)
        assert bd[n] == pytest.approx(twin_bd09(*position), abs=1e-11)
        # The composition moves on from GCJ-02 even where that has left the box.
        x, y = twin_gcj02(*position)
        if CHINA.west_deg <= y <= CHINA.east_deg and CHINA.south_deg <= x <= CHINA.north_deg:
            assert both[n] == pytest.approx(twin_bd09(x, y), abs=1e-11)


@pytest.mark.parametrize("convert", EVERY)
def test_results_do_not_depend_on_how_arrays_were_split(convert):
    """Slices, single elements, permutations, strides and odd neighbours: the same bits."""
    lat, lng = around_chengyang(1_037)
    whole = np.column_stack(convert(lat, lng))
    rng = np.random.default_rng(1)

    cuts = [0, *sorted(rng.choice(np.arange(1, lat.size), 60, replace=False)), lat.size]
    parts = [np.column_stack(convert(lat[a:b], lng[a:b])) for a, b in pairwise(cuts)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()

    single = [np.column_stack(convert(lat[n : n + 1], lng[n : n + 1])) for n in range(lat.size)]
    assert np.concatenate(single).tobytes() == whole.tobytes()
    scalars = np.array([convert(float(a), float(b)) for a, b in zip(lat, lng, strict=True)])
    assert scalars.tobytes() == whole.tobytes()

    order = rng.permutation(lat.size)
    permuted = np.column_stack(convert(lat[order], lng[order]))
    assert permuted.tobytes() == whole[order].tobytes()

    strided = np.column_stack(convert(lat[::3], lng[::3]))
    assert strided.tobytes() == whole[::3].tobytes()
    columns = np.column_stack((lng, lat))
    assert np.column_stack(convert(columns[:, 1], columns[:, 0])).tobytes() == whole.tobytes()
    backwards = np.column_stack(convert(lat[::-1], lng[::-1]))
    assert backwards.tobytes() == whole[::-1].tobytes()
    unaligned = np.frombuffer(b"?" + lat.tobytes(), offset=1)
    assert np.column_stack(convert(unaligned, lng)).tobytes() == whole.tobytes()

    odd_lat, odd_lng = lat.copy(), lng.copy()
    odd_lat[::5], odd_lng[::7], odd_lat[::11] = np.nan, np.inf, 1e300
    kept = np.isfinite(odd_lat) & np.isfinite(odd_lng) & (odd_lat < 90)
    assert np.column_stack(convert(odd_lat, odd_lng))[kept].tobytes() == whole[kept].tobytes()


@pytest.mark.parametrize("convert", EVERY)
def test_outside_china_a_position_stays_what_it_is(convert):
    """Other countries, poles, impossible values: returned bit for bit."""
    lat = np.array([48.8566, -33.86, 90.0, -90.0, 0.0, 55.8272, 36.0, 36.0, 1e300, np.inf])
    lng = np.array([2.3522, 151.2, 0.0, 120.0, 0.0, 120.0, 72.0, 137.9, 120.0, -np.inf])
    out_lat, out_lng = convert(lat, lng)
    assert out_lat.tobytes() == lat.tobytes()
    assert out_lng.tobytes() == lng.tobytes()


@pytest.mark.parametrize("convert", EVERY)
def test_the_edge_of_the_box_belongs_to_it(convert):
    """On the edge a position is moved, one step of rounding outside it is not."""
    lat, lng = convert(CHINA.south_deg, CHINA.west_deg)
    assert (lat, lng) != (CHINA.south_deg, CHINA.west_deg)
    below = math.nextafter(CHINA.south_deg, 0)
    assert convert(below, 100.0) == (below, 100.0)


@pytest.mark.parametrize("convert", EVERY)
def test_a_nan_spreads_no_further_than_its_position(convert):
    """A position with a NaN is returned as it is, and its neighbours are not touched."""
    lat, lng = np.array([36.3, np.nan, 36.3, 36.3]), np.array([120.4, 120.4, np.nan, 120.4])
    out_lat, out_lng = convert(lat, lng)
    assert np.isnan(out_lat).tolist() == [False, True, False, False]
    assert np.isnan(out_lng).tolist() == [False, False, True, False]
    assert (out_lng[1], out_lat[2]) == (120.4, 36.3)
    assert (out_lat[0], out_lng[0]) == (out_lat[3], out_lng[3])


@pytest.mark.parametrize("convert", EVERY)
def test_shapes_are_kept_and_arguments_are_not_changed(convert):
    """Empty, scalar and two-dimensional input come back in their shape, as new arrays."""
    for shape in [(0,), (), (1,), (2, 3)]:
        lat, lng = np.full(shape, 36.3), np.full(shape, 120.4)
        out_lat, out_lng = convert(lat, lng)
        assert out_lat.shape == out_lng.shape == shape
        assert out_lat.dtype == out_lng.dtype == np.float64
        assert (lat == 36.3).all()
        assert (lng == 120.4).all()
    with pytest.raises(ValueError, match="are not pairs"):
        convert(np.zeros(2), np.zeros(3))


@pytest.mark.parametrize("name", datum.DATUMS)
def test_by_name_there_and_back(name):
    """`to_wgs84` undoes the displacement of every datum of the configuration."""
    lat, lng = around_chengyang(100)
    there = datum.from_wgs84(lat, lng, name)
    if name in FORWARD:
        np.testing.assert_array_equal(there, FORWARD[name](lat, lng))
    back_lat, back_lng = datum.to_wgs84(*there, name)
    assert back_lat == pytest.approx(lat, abs=1e-9)
    assert back_lng == pytest.approx(lng, abs=1e-9)


def test_wgs84_costs_nothing():
    """WGS-84 input is handed on, not copied."""
    lat, lng = around_chengyang(3)
    assert datum.to_wgs84(lat, lng, "wgs84") == (lat, lng)
    assert datum.to_wgs84(lat, lng, "wgs84")[0] is lat


def test_an_unknown_datum_is_named():
    """The message says what was asked for and what there is."""
    with pytest.raises(ValueError, match="no datum 'gcj03'; it is one of wgs84, gcj02, bd09"):
        datum.to_wgs84([36.3], [120.4], "gcj03")  # type: ignore[arg-type]
