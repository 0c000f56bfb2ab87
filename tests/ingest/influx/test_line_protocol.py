"""Line protocol: what is rendered is what a server reads, and as the contract has it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.roster import BikeKey
from bikes.telemetry import COLUMNS, Event, Status, TelemetryBatch
from geofence.quality import VERDICTS
from ingest.influx.line_protocol import (
    HealthFigures,
    alert_lines,
    coverage_lines,
    health_line,
    line,
    part_lines,
    reject_lines,
    status_lines,
    telemetry_lines,
    verdict_lines,
)
from tests.influx_servers import Influx1, VictoriaMetrics

KEYS = [BikeKey("hello", "HB001"), BikeKey("hello", "HB002"), BikeKey("blue", "B-7")]
ZONES = ["cy-01", "cy-02"]
AT_MS = 1_763_856_000_000


class Point(msgspec.Struct, frozen=True):
    """What a server understands."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, object]
    at_ms: int


def parse(text: str) -> Point:
    """Read a line as InfluxDB's documentation describes it; fails where it would be rejected."""
    head = split(text, " ")[0]  # quotes mean nothing in tags
    _, values, stamp = split(text[len(head) :], " ", quotes=True)
    measurement, *pairs = split(head, ",")
    tags = {}
    for pair in pairs:
        name, value = split(pair, "=")
        assert name
        assert value, "an empty tag is an error"
        assert not value.endswith("\\"), "it would escape what follows"
        tags[plain(name)] = plain(value)
    fields = {}
    for pair in split(values, ",", quotes=True):
        name, _, value = pair.partition("=")
        fields[plain(name)] = field(value)
    assert fields
    return Point(plain(measurement), tags, fields, int(stamp))


def split(text: str, separator: str, *, quotes: bool = False) -> list[str]:
    """Cut at separators that are neither escaped nor, if they count, quoted."""
    parts, quoted, escaped = [""], False, False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"' and quotes:
            quoted = not quoted
        elif character == separator and not quoted:
            parts.append("")
            continue
        parts[-1] += character
    assert not quoted
    return parts


def plain(text: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", text)


def field(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    if text.endswith("i"):
        return int(text[:-1])
    if text.startswith('"'):
        assert text.endswith('"')
        return re.sub(r"\\([\\\"])", r"\1", text[1:-1])
    value = float(text)
    assert math.isfinite(value)
    return value


def points(lines: bytes) -> list[Point]:
    assert not lines or lines.endswith(b"\n")
    return [parse(text) for text in lines.decode().split("\n")[:-1]]


def obvious(
    fixes: TelemetryBatch, verdicts: list[int], gaps: list[float], zones: list[int]
) -> bytes:
    """Telemetry line by line, as one would write it first."""
    lines = []
    for row in range(len(fixes)):
        key = KEYS[fixes.bike[row]]
        zone = ZONES[zones[row]] if zones[row] >= 0 else "none"
        values = [f'first_verdict="{VERDICTS[verdicts[row]]}"']
        for name, column, digits in (
            ("lat", fixes.lat_deg, 7),
            ("lng", fixes.lng_deg, 7),
            ("speed_mps", fixes.speed_mps, 2),
            ("heading_deg", fixes.heading_deg, 1),
            ("accuracy_m", fixes.accuracy_m, 1),
            ("battery_percent", fixes.battery_percent, 0),
            ("interval_s", np.array(gaps, np.float32), 1),
        ):
            if math.isfinite(column[row]):
                scaled = round(float(column[row]) * 10**digits)
                sign, digits_text = "-" if scaled < 0 else "", f"{abs(scaled):0{digits + 1}d}"
                whole, rest = digits_text[: len(digits_text) - digits], digits_text[-digits:]
                values.append(f"{name}={sign}{whole}.{rest}" if digits else f"{name}={scaled}i")
        lines.append(
            f"bike_telemetry,vendor={key.vendor},bike_id={key.bike_id},zone_id={zone} "
            f"{','.join(values)} {fixes.timestamp_ms[row]}\n"
        )
    return "".join(lines).encode()


def numbers(low: float, high: float, *, width: int) -> st.SearchStrategy[float]:
    inside = st.floats(low, high, width=width)  # type: ignore[arg-type]
    return inside | st.sampled_from([low, high, float("nan")])


rows = st.tuples(
    st.integers(0, 2),
    st.integers(946_684_800_000, 4_102_444_800_000) | st.integers(0, 20_000),
    numbers(-90, 90, width=64),
    numbers(-180, 180, width=64),
    numbers(0, 1e6, width=32),
    numbers(0, 1000, width=32),
    numbers(0, 360, width=32),
    numbers(-1000, 10_000, width=32),
    numbers(0, 100, width=32),
)


def batch(values: list[tuple[float, ...]]) -> TelemetryBatch:
    columns = zip(*values, strict=True) if values else [[]] * len(COLUMNS)
    return TelemetryBatch(
        *(np.array(column, dtype) for column, dtype in zip(columns, COLUMNS.values(), strict=True))
    )


@settings(max_examples=200)
@given(st.data(), st.lists(rows, max_size=8))
def test_columns_come_out_as_the_obvious_loop_has_them(
    data: st.DataObject, values: list[tuple[float, ...]]
) -> None:
    """Rendering from columns gives, byte for byte, what one line at a time would."""
    n = len(values)
    verdicts = data.draw(st.lists(st.integers(0, len(VERDICTS) - 1), min_size=n, max_size=n))
    zones = data.draw(st.lists(st.integers(-1, 1), min_size=n, max_size=n))
    gaps = data.draw(st.lists(numbers(0, 1e6, width=32), min_size=n, max_size=n))
    fixes, codes = batch(values), np.array(verdicts, np.uint8)
    where = np.array(zones, np.int16)
    rendered = telemetry_lines(
        fixes, codes, np.array(gaps, np.float32), where, keys=KEYS, zone_ids=ZONES
    )
    assert rendered == obvious(fixes, verdicts, gaps, zones)
    assert len(points(rendered)) == n
    said = points(verdict_lines(fixes, codes, where, keys=KEYS, zone_ids=ZONES))
    assert [(point.tags, point.at_ms, point.fields) for point in said] == [
        (point.tags, point.at_ms, {"verdict": point.fields["first_verdict"]})
        for point in points(rendered)
    ]


def test_a_correction_names_its_fix_and_has_an_instant_of_its_own() -> None:
    """Late data corrects a fix again and again: the point is that of the correction."""
    fixes = batch([(0, AT_MS + n, 36.3, 120.4, *[5.0] * 5) for n in (0, 1)])
    codes, zones = np.array([5, 0], np.uint8), np.array([0, -1])
    told = points(
        verdict_lines(fixes, codes, zones, keys=KEYS, zone_ids=ZONES, corrected_ms=AT_MS + 900)
    )
    assert {point.measurement for point in told} == {"bike_verdict_corrected"}
    assert [(point.at_ms - AT_MS, point.fields) for point in told] == [
        (900, {"verdict": "parked", "fix_ms": AT_MS}),
        (901, {"verdict": "ok", "fix_ms": AT_MS + 1}),
    ]


texts = st.text(st.characters() | st.sampled_from('\\,= "\n\r\t\0'), max_size=12)
scalars = texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.none()


@settings(max_examples=500)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), texts | st.none(), max_size=3),
    st.dictionaries(st.sampled_from(["x", "y", "z"]), scalars, max_size=3),
)
def test_whatever_is_said_is_read_again(
    tags: dict[str, str | None], fields: dict[str, str | bool | int | float | None]
) -> None:
    """Every tag and field comes back; what has no value is left out, what has no form replaced."""
    told = {
        name: shown(value)
        for name, value in fields.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }
    lines = line("m", tags, fields, AT_MS)
    if not told:
        assert lines == b""
        return
    assert lines.count(b"\n") == 1
    (point,) = points(lines)
    marks = {name: shown(value).replace("\\", "/") for name, value in tags.items() if value}
    assert point == Point("m", {k: v for k, v in marks.items() if v}, told, AT_MS)
    assert {k: type(v) for k, v in point.fields.items()} == {k: type(v) for k, v in told.items()}


def shown(value: object) -> object:
    """A value as it is after what has no form in a line was replaced."""
    if not isinstance(value, str):
        return value
    single = re.sub("[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", value)
    return single.encode(errors="replace").decode()


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("a b,c=d", r"a\ b\,c\=d"),
        ("", None),
        (None, None),
        ("trailing\\", "trailing/"),
        ("two\nlines", r"two\ lines"),
        ("城阳", "城阳"),
    ],
)
def test_tags(tag: str | None, written: str | None) -> None:
    """Separators are escaped; a backslash, which would escape what follows, becomes a slash."""
    expected = "m x=1i 5\n" if written is None else f"m,t={written} x=1i 5\n"
    assert line("m", {"t": tag}, {"x": 1}, 5) == expected.encode()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"),
        (1, "1i"),
        (1.0, "1.0"),
        (1e-7, "1e-07"),
        ('say "no"\\', r'"say \"no\"\\"'),
        ("two\r\nlines", '"two lines"'),
        ("", '""'),
    ],
)
def test_fields(value: str | bool | int | float, written: str) -> None:
    """Each type has its form."""
    assert line("m", {}, {"x": value}, 5) == f"m x={written} 5\n".encode()


def test_a_point_without_fields_is_no_point() -> None:
    """InfluxDB would reject the line."""
    assert line("m", {"t": "v"}, {"x": None, "y": float("nan"), "z": float("inf")}, 5) == b""


def test_connections_and_states() -> None:
    """What bikes say of themselves."""
    lines = status_lines(
        [Status(bike=0, online=False, timestamp_ms=AT_MS)],
        [Event(bike=2, vehicle_state="on_trip", timestamp_ms=AT_MS + 1)],
        keys=KEYS,
    )
    assert lines.decode() == (
        f"bike_status,vendor=hello,bike_id=HB001 online=false {AT_MS}\n"
        f'bike_event,vendor=blue,bike_id=B-7 vehicle_state="on_trip" {AT_MS + 1}\n'
    )


class Zone(msgspec.Struct, frozen=True):
    """A zone's figures."""

    zone_id: str = "cy-01"
    policy: str = "core"
    covered_ratio: float = 2 / 3
    cells_covered: int = 2
    cells_total: int = 3
    target: float = 0.8
    idle_s: float = 12.34
    oldest_cell_age_s: float | None = None
    mean_cell_age_s: float | None = 5.0
    due_in_s: float | None = -1.0
    state: str = "overdue"
    state_code: int = 2


def test_coverage() -> None:
    """What is not known is left out; a zone without bikes has none inside."""
    (point,) = points(coverage_lines([Zone()], AT_MS, bikes_inside={"cy-02": 1}))
    assert point.tags == {"zone_id": "cy-01", "policy": "core"}
    assert point.fields == {
        "covered_ratio": 0.666667,
        "cells_covered": 2,
        "cells_total": 3,
        "target": 0.8,
        "idle_s": 12.3,
        "mean_cell_age_s": 5.0,
        "due_in_s": -1.0,
        "bikes_inside": 0,
        "state": "overdue",
        "state_code": 2,
    }


class Step(msgspec.Struct, frozen=True):
    """A transition of an alert."""

    seq: int
    at_ms: int = AT_MS
    to_state: str = "active"
    zone_id: str | None = "cy-01"
    after_s: float | None = None
    alert_id: str = "A000001"
    rule: str = "zone_unpatrolled"
    severity: str = "critical"
    from_state: str = "pending"
    actor: str = "system"
    reason: str = "idle_over_frequency"


def test_every_transition_is_a_point_of_its_own() -> None:
    """Two transitions of one millisecond would overwrite each other; the later gives way."""
    steps = [Step(1), Step(2), Step(3, AT_MS + 1), Step(4, AT_MS + 9), Step(5, zone_id=None)]
    found = points(alert_lines(steps))
    assert [point.at_ms - AT_MS for point in found] == [0, 1, 2, 9, 0]
    assert found[4].tags == {"rule": "zone_unpatrolled", "severity": "critical"}


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(0, 12))
def test_a_transition_has_the_same_point_on_whichever_page_it_is(
    gaps: list[int], after: int
) -> None:
    """Rows before the page say which milliseconds are taken."""
    at_ms = np.cumsum([AT_MS, *gaps]).tolist()
    steps = [Step(seq, at) for seq, at in enumerate(at_ms, 1)]
    everything = alert_lines(steps).splitlines()
    assert alert_lines(steps, after_seq=after).splitlines() == everything[after:]
    assert len(set(everything)) == len(steps)


def test_how_long_an_alert_waited_is_in_the_field_of_its_state() -> None:
    """Each wait has a field of its own, because InfluxQL averages fields."""
    (point,) = points(alert_lines([Step(1, to_state="acknowledged", after_s=90)]))
    assert point.fields["acknowledged_after_s"] == 90.0
    (point,) = points(alert_lines([Step(1, to_state="acknowledged")]))
    assert "acknowledged_after_s" not in point.fields


def test_health() -> None:
    """Counters are integers, the lag is not."""
    lines = health_line("a host", AT_MS, HealthFigures(5, 4, 1, 0, log_depth=2, lag_s=0))
    (point,) = points(lines)
    assert point.tags == {"host": "a host"}
    assert point.fields == {
        "received": 5,
        "stored": 4,
        "rejected": 1,
        "duplicates": 0,
        "log_depth": 2,
        "lag_s": 0.0,
    }
    assert isinstance(point.fields["lag_s"], float)


def test_rejects_and_parts() -> None:
    """What else the operator looks at when something is wrong."""
    (reject,) = points(reject_lines({("hello", "not_json"): 3}, AT_MS))
    assert (reject.tags, reject.fields) == (
        {"vendor": "hello", "reason": "not_json"},
        {"rejected": 3},
    )
    (part,) = points(part_lines("h", [("inlet", False, 'said "no"')], AT_MS))
    assert (part.tags, part.fields) == (
        {"host": "h", "part": "inlet"},
        {"ok": 0, "reason": 'said "no"'},
    )


AWKWARD = r"""a,b=c d\ "e 城 '"""


def test_real_servers_read_what_is_meant(tmp_path: Path) -> None:
    """InfluxDB and VictoriaMetrics read the same tags, fields and times out of a line."""
    lines = line("m", {"t": AWKWARD}, {"s": AWKWARD, "i": 5, "f": 0.25, "b": True}, AT_MS)
    read = AWKWARD.replace("\\", "/")
    with Influx1(tmp_path / "influx") as influx, VictoriaMetrics(tmp_path / "vm") as vm:
        assert influx.write(lines) == (204, b"")
        (series,) = influx.query("SELECT * FROM m")
        assert dict(zip(series["columns"], series["values"][0], strict=True)) == {
            "time": AT_MS,
            "t": read,
            "s": AWKWARD,
            "i": 5,
            "f": 0.25,
            "b": True,
        }
        assert vm.post("/api/v2/write", lines, precision="ms")[0] == 204
        (sample,) = vm.export("m_f")
        assert sample == ({"__name__": "m_f", "t": read}, AT_MS, 0.25)
