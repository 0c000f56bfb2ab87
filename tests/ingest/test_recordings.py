"""Recordings: what files of telemetry give, and what is said of what they do not."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikes.formats import FORMATS
from bikes.roster import BikeKey, Roster
from bikes.telemetry import TelemetryBatch
from bikes.topics import TopicPattern
from geofence.datum import wgs84_to_gcj02
from ingest.recordings import Problem, RecordingReader, files
from ingest.vendors import VendorFormat

NOW_MS = 1_760_000_000_000
HELLO = {"hello": VendorFormat("hello", FORMATS["mds"])}
BOTH = HELLO | {"gcj": VendorFormat("gcj", FORMATS["mds"], "gcj02")}


def line(bike: str | None = "b7", at_ms: int = NOW_MS, **more: object) -> str:
    place = {"lat": more.pop("lat", 36.3), "lng": more.pop("lng", 120.4)}
    named = {} if bike is None else {"device_id": bike}
    return json.dumps({"timestamp": at_ms, "location": place, **named, **more})


def read(
    path: Path,
    vendors: dict[str, VendorFormat] = HELLO,
    *,
    roster: Roster | None = None,
    block_bytes: int = 1 << 16,
) -> tuple[TelemetryBatch, list[Problem]]:
    roster = Roster(dict.fromkeys(vendors, "any")) if roster is None else roster
    reader = RecordingReader(roster, vendors, block_bytes=block_bytes)
    pieces = list(reader.read(path))
    assert all(piece.path == path for piece in pieces)
    telemetry = TelemetryBatch.concat([piece.telemetry for piece in pieces])
    problems = [problem for piece in pieces for problem in piece.problems]
    assert sum(piece.items for piece in pieces) == len(telemetry) + len(problems)
    if path.suffix in (".ndjson", ".jsonl") and not any(not p.line for p in problems):
        assert sum(piece.read_bytes for piece in pieces) == path.stat().st_size
    return telemetry, problems


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_ndjson(tmp_path: Path) -> None:
    """Each line is a fix of the bike it names; blank lines and a byte order mark are no matter."""
    text = f"\ufeff{line('a')}\r\n\n{line('b', NOW_MS + 1, battery_percent=80)}\n  \n{line('a')}"
    roster = Roster({"hello": "any"})
    telemetry, problems = read(written(tmp_path, "day.ndjson", text), roster=roster)
    assert problems == []
    assert roster.keys == [BikeKey("hello", "a"), BikeKey("hello", "b")]
    assert telemetry.bike.tolist() == [0, 1, 0]
    assert telemetry.timestamp_ms.tolist() == [NOW_MS, NOW_MS + 1, NOW_MS]
    assert telemetry.battery_percent[1] == 80


def test_ndjson_of_vendors(tmp_path: Path) -> None:
    """A line may name its vendor, whose datum then counts; the order of bikes is theirs."""
    lat, lng = wgs84_to_gcj02([36.3], [120.4])
    text = "\n".join(
        [
            line("a", vendor="hello"),
            line("a", vendor="gcj", lat=lat[0], lng=lng[0]),
            line("a"),
            line("a", vendor="nobody"),
        ]
    )
    telemetry, problems = read(written(tmp_path, "day.jsonl", text), BOTH)
    assert np.allclose(telemetry.lat_deg, 36.3, atol=1e-8, rtol=0)
    assert telemetry.bike.tolist() == [0, 1]
    assert [(p.line, p.reason) for p in problems] == [(3, "schema"), (4, "unknown_vendor")]
    assert "more than one is configured: gcj, hello" in problems[0].detail


@pytest.mark.parametrize("block_bytes", [1, 10, 64, 1 << 20])
def test_bad_lines_are_named(tmp_path: Path, block_bytes: int) -> None:
    """Each bad line is a problem with its number; the others are used, however blocks fall."""
    lines = [
        line("a"),
        "{",
        line(None),
        line("b 7"),
        "",
        line("a", lat=91),
        line("a", NOW_MS // 1000),
        f"[{line('a')}, 7]",
        line("c"),
        line("a", note="x" * 300_000),
        line("b"),
    ]
    path = written(tmp_path, "day.ndjson", "\n".join(lines) + "\n")
    roster = Roster({"hello": ["a", "b"]})
    if block_bytes < 64:
        lines[9] = ""
        path = written(tmp_path, "day.ndjson", "\n".join(lines) + "\n")
    telemetry, problems = read(path, roster=roster, block_bytes=block_bytes)
    assert telemetry.bike.tolist() == [0, 0, 1]
    expected = [
        (2, "not_json"),
        (3, "schema"),
        (4, "unknown_bike"),
        (6, "out_of_range"),
        (7, "too_old"),
        (8, "schema"),
        (9, "unknown_bike"),
        (10, "too_large"),
    ]
    assert [(p.line, p.reason) for p in problems] == expected[: 7 if block_bytes < 64 else 8]
    assert str(problems[3]) == (
        f"{path}:6: out_of_range: location.lat: 91 is not between -90 and 90"
    )


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A long file, and a line without an end, are read in memory of the size of a block."""
    path = tmp_path / "long.ndjson"
    with path.open("w") as file:
        for number in range(20_000):
            file.write(line("a", NOW_MS + number) + "\n")
        file.write("x" * 20_000_000)
    reader = RecordingReader(Roster({"hello": "any"}), HELLO, block_bytes=1 << 16)
    tracemalloc.start()
    fixes = sum(len(piece.telemetry) for piece in reader.read(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert fixes == 20_000
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("name", "bike"),
    [
        ("rec/alice/b7/2026-05.rec", "alice-b7"),
        ("b8.rec", "b8"),
        ("alice/2026-05-x.REC", "2026-05-x"),
    ],
)
def test_rec(tmp_path: Path, name: str, bike: str) -> None:
    """A .rec file is of the bike that its folders, or its own name, say; only locations count."""
    start = "2026-05-01T00:00:00Z\t*                 \t"
    location = '{"_type":"location","lat":36.3,"lon":120.4,"tst":1760000000,"vel":36}'
    text = f'{start}{location}\n{start}{{"_type":"lwt","tst":1}}\nbroken\n{start}{location}\n'
    roster = Roster({"hello": "any"})
    telemetry, problems = read(written(tmp_path, name, text), roster=roster)
    assert roster.keys == [BikeKey("hello", bike)]
    assert telemetry.speed_mps.tolist() == [10, 10]
    assert [(p.line, p.reason) for p in problems] == [(3, "schema")]


GPX = """<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="36.3" lon="120.4"><time>2025-10-09T08:53:20Z</time></trkpt>
<trkpt lat="91" lon="120.4"><time>2025-10-09T08:53:20Z</time></trkpt>
<trkpt lat="36.3" lon="120.4"/>
<trkpt lat="36.3" lon="120.4"><time>2025-10-09T08:53:21Z</time></trkpt>
</trkseg></trk></gpx>
"""


@pytest.mark.parametrize("block_bytes", [1, 50, 1 << 20])
def test_gpx(tmp_path: Path, block_bytes: int) -> None:
    """A GPX file is of the bike it is named after, in WGS-84 whatever the vendor's datum is."""
    vendors = {"gcj": BOTH["gcj"]}
    telemetry, problems = read(written(tmp_path, "b7.gpx", GPX), vendors, block_bytes=block_bytes)
    assert telemetry.timestamp_ms.tolist() == [NOW_MS, NOW_MS + 1000]
    assert telemetry.lat_deg.tolist() == [36.3, 36.3]
    assert [(p.line, p.reason) for p in problems] == [(3, "out_of_range"), (4, "schema")]


def test_gpx_that_ends_early(tmp_path: Path) -> None:
    """What comes before the point at which a file is no XML any more is used."""
    telemetry, problems = read(written(tmp_path, "b7.gpx", GPX[:160]))
    assert len(telemetry) == 1
    assert [p.reason for p in problems] == ["schema"]


def test_entities_are_refused(tmp_path: Path) -> None:
    """A file that defines entities is not read."""
    attack = '<!DOCTYPE gpx [<!ENTITY a "b">]>' + GPX
    telemetry, problems = read(written(tmp_path, "b7.gpx", attack))
    assert len(telemetry) == 0
    assert "document type declaration" in problems[0].detail


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("two words.gpx", "unknown_bike", "cannot be a bike's id"),
        ("nobody.gpx", "unknown_bike", "not on the list"),
        ("two words.rec", "unknown_bike", "cannot be a bike's id"),
        ("day.csv", "unreadable", ".ndjson"),
        ("day", "unreadable", ".ndjson"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, reason: str, detail: str) -> None:
    """A file that is of no bike, or of no known kind, is one problem, and is not read."""
    path = written(tmp_path, name, GPX)
    telemetry, (problem,) = read(path, roster=Roster({"hello": ["b7"]}))
    assert len(telemetry) == 0
    assert (problem.line, problem.reason) == (0, reason)
    assert detail in problem.detail
    assert str(problem).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["nowhere.ndjson", "folder.gpx"])
def test_files_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    """A file that is not there, or is none, is a problem and no traceback."""
    (tmp_path / "folder.gpx").mkdir()
    _, (problem,) = read(tmp_path / name)
    assert (problem.line, problem.reason) == (0, "unreadable")


@pytest.mark.parametrize("name", ["b7.ndjson", "b7.rec", "b7.gpx"])
def test_empty_files(tmp_path: Path, name: str) -> None:
    """An empty file has no fixes; an empty GPX file is not XML."""
    telemetry, problems = read(written(tmp_path, name, b""))
    assert len(telemetry) == 0
    assert len(problems) == (name == "b7.gpx")


def test_default_vendor(tmp_path: Path) -> None:
    """With several vendors, the default is that of files and lines that name none."""
    roster = Roster(dict.fromkeys(BOTH, "any"))
    reader = RecordingReader(roster, BOTH, default_vendor="gcj")
    for path in (written(tmp_path, "a.gpx", GPX), written(tmp_path, "x.ndjson", line("b"))):
        list(reader.read(path))
    assert roster.keys == [BikeKey("gcj", "a"), BikeKey("gcj", "b")]


def test_no_default_vendor(tmp_path: Path) -> None:
    """With several vendors and no default, a file that cannot name one is one problem."""
    _, (problem,) = read(written(tmp_path, "a.rec", b""), BOTH)
    assert "vendor: required, as more than one is configured: gcj, hello; see" in problem.detail


def test_gpx_is_of_any_vendor_that_may_have_the_bike(tmp_path: Path) -> None:
    """It is WGS-84 whoever rode; a list of bikes, or the folder's name, says more."""
    for folder, bikes, vendor in (
        ("x", ["b7"], "gcj"),
        ("gcj", "any", "gcj"),
        ("x", "any", "hello"),
    ):
        roster = Roster({"hello": "any", "gcj": bikes})
        telemetry, _ = read(written(tmp_path, f"{folder}/b7.gpx", GPX), BOTH, roster=roster)
        assert len(telemetry) == 2
        assert {roster.key(bike).vendor for bike in telemetry.bike.tolist()} == {vendor}


def test_the_default_bike_is_that_of_whatever_names_none(tmp_path: Path) -> None:
    """Files whose name is no bike's, and lines without a device."""
    roster = Roster({"hello": ["b7"]})
    reader = RecordingReader(roster, HELLO, default_bike="b7")
    found = [
        written(tmp_path, "Morning ride.gpx", GPX),
        written(tmp_path, "rec/a/phone/2026-05.rec", REC),
        written(tmp_path, "x.ndjson", f"{line(None)}\n{line('b8')}"),
    ]
    pieces = [piece for path in found for piece in reader.read(path)]
    assert sum(len(piece.telemetry) for piece in pieces) == 4
    assert [p.reason for p in pieces[-1].problems] == ["unknown_bike"]


REC = '2026-05-01T00:00:00Z\t*\t{"_type":"location","lat":36.3,"lon":120.4,"tst":1760000000}\n'


def test_a_device_is_of_its_user(tmp_path: Path) -> None:
    """Phones of two users are two bikes; what cannot be told apart is a problem."""
    own = VendorFormat("own", FORMATS["owntracks"], topics=(TopicPattern("owntracks/c/{bike}"),))
    roster = Roster({"own": "any"})
    reader = RecordingReader(roster, {"own": own})
    problems = []
    for folder in ("a/phone", "b/phone", "c/phone", "a-b/c", "a/b-c", "a/phone"):
        for piece in reader.read(written(tmp_path, f"rec/{folder}/2026-05.rec", REC)):
            problems += piece.problems
    assert [key.bike_id for key in roster.keys] == ["a-phone", "b-phone", "phone", "a-b-c"]
    (problem,) = problems
    assert problem.detail == "'a-b-c' is a-b/c already; name it with --bike"
    listed = Roster({"own": ["phone"]})
    path = tmp_path / "rec" / "a" / "phone" / "2026-05.rec"
    assert len(read(path, {"own": own}, roster=listed)[0]) == 1


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("envelope", [False, True])
def test_one_json_value(tmp_path: Path, name: str, indent: int | None, envelope: bool) -> None:
    """A file may be one array, or MDS's own object, over any lines; an item is told by its line."""
    items = [json.loads(line("a")), json.loads(line("a", lat=91)), {}, json.loads(line("b"))]
    text = json.dumps({"version": "2.0", "telemetry": items} if envelope else items, indent=indent)
    path = written(tmp_path, name, f"\ufeff\n{text}\n")
    telemetry, problems = read(path)
    assert telemetry.bike.tolist() == [0, 1]
    lines = path.read_text().splitlines()
    for problem, what in zip(sorted(problems, key=str), ('"lat": 91', "{}"), strict=True):
        assert what in "".join(lines[problem.line - 1 :][:7])
    (fix,) = read(written(tmp_path, "one.json", json.dumps(items[0], indent=2)))[0].timestamp_ms
    assert fix == NOW_MS


def test_one_json_value_that_is_cut_off(tmp_path: Path) -> None:
    """It is one problem, not one for each of its lines."""
    text = json.dumps([json.loads(line("a"))] * 9, indent=2)[:-30]
    _, (problem,) = read(written(tmp_path, "a.json", text))
    assert (problem.reason, problem.detail) == ("not_json", "Input data was truncated")


@pytest.mark.parametrize("name", ["b7.ndjson", "b7.rec", "b7.json"])
@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-32-be"])
def test_encodings_are_named(tmp_path: Path, name: str, codec: str) -> None:
    """A file in another encoding is one problem, with what to do."""
    _, (problem,) = read(written(tmp_path, name, line("a").encode(codec)))
    assert (problem.line, problem.reason) == (0, "not_json")
    assert "save it as UTF-8" in problem.detail


def test_gpx_in_another_encoding(tmp_path: Path) -> None:
    """What its declaration says is read; what says nothing, or is unknown, is told what to do."""
    body = GPX.replace("<trk>", "<trk><name>\u57ce</name>", 1)
    telemetry, _ = read(written(tmp_path, "b7.gpx", body.encode("utf-16")))
    assert len(telemetry) == 2
    _, problems = read(written(tmp_path, "b7.gpx", body.encode("gbk")))
    assert "save it as UTF-8" in problems[-1].detail


def test_what_is_dropped_is_noted(tmp_path: Path) -> None:
    """Values that cannot be used by their field, and messages that say no position."""
    odd = GPX.replace("<time>", "<ele/><time>", 1)
    odd = odd.replace("<trk>", '<wpt lat="36.3" lon="120.4"><time/></wpt><trk>', 1)
    lwt = '2026-05-01T00:00:00Z\t*\t{"_type":"lwt","tst":1}\n'
    reader = RecordingReader(Roster({"hello": "any"}), HELLO)
    found = [written(tmp_path, "b7.gpx", odd), written(tmp_path, "b7.rec", REC + lwt)]
    notes = [dict(piece.notes) for path in found for piece in reader.read(path)]
    assert notes == [{"altitude": 1, "no_track_point": 1}, {}, {"no_position": 1}]


@pytest.mark.parametrize(
    ("name", "content", "detail"),
    [
        ("b7.gpx", gzip.compress(GPX.encode()), "it is gzip; unpack it"),
        ("b7.json", "{\n}\n" * 2, "trailing characters (byte 5), as NDJSON has"),
        (
            "b7.ndjson",
            line()[:-1].encode() + ', "note": "城阳", "timestamp": 5.0}'.encode("gbk"),
            "send or save it as UTF-8",
        ),
    ],
)
def test_what_a_file_is_instead_is_said(
    tmp_path: Path, name: str, content: str | bytes, detail: str
) -> None:
    reader = RecordingReader(Roster({"hello": "any"}), HELLO)
    pieces = reader.read(written(tmp_path, name, content))
    problems = [problem.detail for piece in pieces for problem in piece.problems]
    assert [detail in problem for problem in problems] == [True], problems


@pytest.mark.parametrize("block_bytes", [40, 1 << 20])
def test_segments_of_gpx_are_parts(tmp_path: Path, block_bytes: int) -> None:
    """Each fix has the number of its segment, whatever was wrong with those before it."""
    point = '<trkpt lat="{}" lon="120.4"><time>2025-10-09T08:53:2{}Z</time></trkpt>'
    one, two = "".join(point.format(36.3, n) for n in (1, 2)), point.format(99, 3)
    text = (
        f"<gpx><trk><trkseg>{one}</trkseg><trkseg>{two}{point.format(36.3, 4)}</trkseg></trk></gpx>"
    )
    reader = RecordingReader(Roster({"hello": "any"}), HELLO, block_bytes=block_bytes)
    pieces = list(reader.read(written(tmp_path, "b7.gpx", text)))
    assert [number for piece in pieces for number in piece.segments] == [0, 0, 1]
    assert [len(piece.segments) for piece in pieces] == [len(piece.telemetry) for piece in pieces]


def test_files_of_folders(tmp_path: Path) -> None:
    """A folder stands for the files in it, at any depth, in order; a file for itself."""
    for name in ("b.gpx", "x/a.NDJSON", "x/y/c.rec", "x/notes.txt", ".hidden"):
        written(tmp_path, name, b"")
    single = tmp_path / ".hidden"
    found = [path.relative_to(tmp_path).as_posix() for path in files([tmp_path, single])]
    assert found == ["b.gpx", "x/a.NDJSON", "x/notes.txt", "x/y/c.rec", ".hidden"]


@pytest.mark.parametrize("suffix", [".ndjson", ".rec", ".gpx"])
@given(
    content=st.binary(max_size=300)
    | st.lists(
        st.sampled_from([line("a"), line("b"), "x", "", "\t", line(lat=91), "<gpx>"]), max_size=8
    ).map(lambda lines: "\n".join(lines).encode()),
    block_bytes=st.integers(1, 100),
)
def test_any_content_is_read_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes, block_bytes: int
) -> None:
    """Whatever a file holds, nothing is raised, and the blocks it is read in do not matter."""
    path = written(tmp_path_factory.mktemp("any"), f"b7{suffix}", content)
    telemetry, problems = read(path, block_bytes=block_bytes)
    whole, its_problems = read(path)
    assert telemetry.timestamp_ms.tolist() == whole.timestamp_ms.tolist()
    assert telemetry.bike.tolist() == whole.bike.tolist()
    assert [(p.line, p.reason) for p in problems] == [(p.line, p.reason) for p in its_problems]
