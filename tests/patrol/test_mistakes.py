"""Mistakes of patrol.toml and the zones: each is reported at once, with its place and advice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import ZonesError
from patrol.assembly import district_of
from patrol.config.settings import load_with_zones
from patrol.config.tables import parse_tables
from tests.patrol.configurations import (
    GOOD,
    MAPPED,
    MAPPING,
    check,
    in_environment,
    problems,
    square,
    with_line,
    write_zones,
    written,
)


def test_ten_mistakes_in_two_files_are_ten_lines(folder: Path) -> None:
    """Five mistakes of patrol.toml and five of the zones come together, each with its place."""
    open_ring = square("z3", lat=36.34)
    open_ring["geometry"]["coordinates"][0].pop()  # type: ignore[index]
    write_zones(
        folder,
        square("z 1"),
        square("z2", policy="cor", lat=36.32),
        open_ring,
        square("z2", lat=36.36),
        {**square("z5", lat=36.38), "geometry": {"type": "Point", "coordinates": [120.4, 36.4]}},
    )
    text = """\
[district]
name = "城阳"
timezone = "Asia/Shanghia"

[mqtt]
url = "broker.example"
prtocol = "5"

[vendors.hello]
format = "mds"
datum = "gcj-02"

[policies.core]
frequency = 2h
target = 0.8
window = "day"
"""
    found = problems(folder, text)
    assert [line.split(": ")[0] for line in found[:5]] == [
        "patrol.toml:3",
        "patrol.toml:6",
        "patrol.toml:7",
        "patrol.toml:11",
        "patrol.toml:14",
    ]
    assert '[district] timezone: there is no timezone "Asia/Shanghia"; did you' in found[0]
    assert "[mqtt] url: must start with mqtt:// or mqtts://" in found[1]
    assert '[mqtt] prtocol: is not a setting; did you mean "protocol"?' in found[2]
    assert '[vendors.hello] datum: must be one of "wgs84", "gcj02", "bd09"' in found[3]
    assert '[policies.core] frequency: text needs quotes: frequency = "…"' in found[4]
    assert len(found) == 10
    assert sorted(line.split(" (")[0] for line in found[5:]) == [
        f"zones.geojson: feature {number}" for number in (1, 2, 3, 4, 5)
    ]


@pytest.mark.parametrize(
    ("section", "line", "message"),
    [
        ("district", 'zones = "nope.geojson"', "there is no file nope.geojson in"),
        ("district", 'exclusions = "."', "[district] exclusions: the path is empty"),
        ("district", 'exclusions = "sub"', "sub is a folder; name a file"),
        ("district", 'exclusions = "/dev/zero"', "more than 64 MiB, or no end"),
        ("policies.core", 'look_back = "3661d"', "longer than ten years"),
        ("policies.core", f'look_back = "{"9" * 5_000}d"', "is not a duration"),
        ("quality", f"max_gap_s = {'9' * 5_000}", "max_gap_s"),
        ("quality", f"max_gap_s = {'[' * 5_000}", "is nested too deeply"),
        ("quality", "max_gap_s = 1e300", "max_gap_s"),
        ("district", "cell_m = 5", "[district] cell_m: must be greater than or equal to 20, not 5"),
        ("district", 'timezone = "localtime"', 'there is no timezone "localtime"'),
        ("district", 'timezone = "Mars"', 'there is no timezone "Mars"; one is for example'),
        ("mqtt", 'password_file = "empty"\nusername = "u"', "names a file without a secret"),
        ("mqtt", 'password_file = "secret"', "[mqtt]: password_file needs username beside it"),
        ("mqtt", 'ca_file = "secret"', "[mqtt]: ca_file is for TLS; write mqtts:// in url"),
        ("mqtt", 'certificate = "secret"', "[mqtt]: certificate is for TLS; write mqtts:// in url"),
        ("mqtt", "protocol = 5", 'must be one of "5", "3.1.1", not 5; put it in quotes'),
        ("mqtt", 'client_id = ""', "[mqtt] client_id: must be 1 to 64 of the characters"),
        ("storage", 'path = "secret"', "[storage] path: secret is a file; name a folder"),
        ("storage", "coverage_days = 30", "[storage] coverage_days: 30 days must be more than"),
        ("influx", 'url = "ftp://h"\nbucket = "b"', "must be an http:// or https:// URL"),
        ("influx", 'url = "http://h"', "[influx] bucket: is missing"),
        ("http", 'listen = "8080"', '"8080" is not host:port; write for example'),
        ("http", 'public_hosts = ["http://h"]', "is not a host name; write it without scheme"),
        ("http", 'cors_origins = ["map.example/"]', "is not an origin; write scheme and host"),
        ("http", 'certificate = "words"', "[http]: certificate and key go together; name both"),
        ("http", "connections = 5", "[http] connections: must be greater than or equal to 10"),
        ("http", 'trusted_proxies = ["h"]', '"h" is not an address or network; write for'),
        ("http", 'session_idle = "8d"', "[http]: session_idle must not be longer than session_max"),
        ("http", 'tokens_file = "secret"', "secret: line 1: write NAME ROLE SHA256"),
        ("console", 'tile_url = "http://h/{z}"\ntile_datum = "wgs84"', "lacks {x}, {y}"),
        ("console", 'tile_url = "/{z}/{x}/{y}.png"', "[console]: tile_url needs tile_datum"),
        ("console", 'language = "de"', '[console] language: must be one of "zh", "en"'),
        ("quality", "max_speed_mps = 0", "max_speed_mps: must be greater than 0, not 0"),
        ("quality", "max_gap_s = inf", "[quality] max_gap_s: must be a finite number"),
        ("quality", "max_gap_m = true", "[quality] max_gap_m: is not a switch"),
        ("quality", 'max_age = "a month"', "[quality] max_age: 'a month' is not a duration"),
        ("quality", 'max_age = "0d"', "[quality] max_age: must be longer than nothing"),
        ("quality", 'duty_hours = ["noon"]', "duty_hours: 'noon' is not patrol hours"),
        ("quality", 'duty_hours = "noon"', "[quality] duty_hours: must be a list in brackets"),
        ("vendors.x", 'format = "mapped"\ndatum = "wgs84"', 'format = "mapped" needs mapping:'),
        ("vendors.x", 'format = "mds"', "[vendors.x] datum: is missing"),
        ("vendors.hello", 'topics = ["a/+"]', "topics: item 1: topic pattern 'a/+': wildcards"),
        (
            "vendors.hello",
            'topics = ["a/b", "a/{bike}"]',
            '"a/b" of hello and of "a/{bike}" of hello',
        ),
        ("vendors.x", f"topics = ['a/b']\n{MAPPED}}}", 'the topic "a/b" has no {bike}, and'),
        ("vendors.hello", f"mapping = {{{MAPPING}}}", 'mapping belongs to format = "mapped"'),
        ("vendors.x", f"{MAPPED}, speeds = 'v'}}", "mapping.speeds: is not a setting; did you"),
        ("vendors.x", f"{MAPPED}, speed = 'y'}}", 'mapping: the path "y" cannot serve lat and'),
        ("vendors.x", f"{MAPPED}, speed = {{path = 'v', unit = 'kmh'}}}}", 'no unit "kmh"; it has'),
        ("vendors.x", f"{MAPPED}, speed = {{unit = 'km/h'}}}}", "mapping.speed.path: is missing"),
        ('vendors."a/b"', 'format = "mds"\ndatum = "wgs84"', "must be 1 to 64 of the characters"),
        ("policies.x", 'frequency = "2h"\ntarget = 2\nwindow = "day"', "than or equal to 1, not 2"),
        ("policies.core", 'hours = ["Mon 1:00-3:00", "Mon 2:00-4:00"]', "two patrol hours overlap"),
        ("policies.core", 'exceptions = "words"', "exceptions: words: not an iCalendar file"),
        ("policies.core", 'close_hold = "soon"', "'soon' is not a duration"),
        ("campaigns.c", "zones = []\nfrom = 2026-04-01\nto = 2026-04-02", "must not be empty"),
        ("campaigns.c", 'zones = ["z1"]\nfrom = "x"\nto = 2026-04-02', "'x' is not a date such as"),
        ("campaigns.c", 'zones = ["z1"]\nfrom = 2026-04-03\nto = 2026-04-02', "must be later than"),
        (
            "campaigns.c",
            'zones = ["z1"]\nfrom = 2026-04-03\nto = 9999-12-31',
            "to (9999-12-31) must lie between the years 1970 and 2100",
        ),
        ("campaigns.c", 'zones = ["z1", "z1"]\nfrom = 2026-04-01\nto = 2026-04-02', "once: z1"),
        ("campaigns.c", 'zones = ["z9"]\nfrom = 2026-04-01\nto = 2026-04-02', 'no zone "z9" in'),
        ("rules", 'off = ["bike_offlin"]', "[rules] off: item 1: must be one of"),
        ("rules", "rejects_share = 1", "[rules] rejects_share: must be less than 1, not 1"),
        ("rules", 'bike_offline_after = "0m"', "[rules] bike_offline_after: must be longer than"),
        ("notify.n", 'url = "json://h"\nescalate_after = "x"', "'x' is not a duration"),
        ("notify.n", 'url = "json://h"\nbulletins_at = "24:00"', '"24:00" is not a time of day'),
        ("notify.n", 'url = "json://h"\nbulletins = ["yearly"]', "bulletins: item 1: must be one"),
        ("notify.n", 'url = "nowhere"', "[notify.n] url: is neither a webhook, for example"),
        ("notify.n", 'url = "json://h"\nzones = ["zz1"]', 'no zone "zz1" in zones.geojson; did'),
        ("notify.n", 'url = "tgram://hunter2"', "nor a URL that Apprise knows"),
        ("notify.n", 'url = "json://h"\nrules = ["zone_unpatroled"]', 'mean "zone_unpatrolled"?'),
        ("notify.n", 'url = "json://h"\nseverities = ["bad"]', 'item 1: must be one of "info"'),
        ("metrics", "x = 1", "[metrics]: is not a setting; there are campaigns, console, district"),
    ],
)
def test_each_mistake_has_one_line_and_advice(
    folder: Path, section: str, line: str, message: str
) -> None:
    """One mistake is one line that names the table and the key and says what to write."""
    (folder / "sub").mkdir()
    (folder / "empty").touch()
    (folder / "words").write_text("no calendar\n")
    (folder / "secret").write_text("hunter2\n")
    found = problems(folder, with_line(section, line))
    assert len(found) == 1, found
    assert message in found[0]
    assert found[0].startswith("patrol.toml:")
    assert "hunter2" not in found[0]


@pytest.mark.parametrize("key", ["district", "vendors", "policies"])
def test_a_missing_section_is_named(folder: Path, key: str) -> None:
    """Without a section that has no defaults there is one line that says so."""
    blocks = [block for block in GOOD.split("\n\n") if not block.startswith(f"[{key}")]
    found = problems(folder, "\n\n".join(blocks))
    assert found == [f"patrol.toml: [{key}]: is missing"]


def test_bike_ids_are_checked_one_by_one(folder: Path) -> None:
    """A bad id is named by its position; an id that is there twice by itself."""
    text = GOOD.replace('["b1", "b2"]', '["b1", "b 2"]')
    assert '[vendors.hello] bikes: item 2: "b 2" cannot be' in problems(folder, text)[0]
    text = GOOD.replace('["b1", "b2"]', '["b1", "b1"]')
    assert "[vendors.hello] bikes: named more than once: b1" in problems(folder, text)[0]
    assert problems(folder, GOOD.replace('["b1", "b2"]', '"any"')) == []


def test_two_vendors_cannot_share_a_topic(folder: Path) -> None:
    """Nobody could tell whose bike a message is from."""
    for topic in ("t/{bike}", "t/other-{bike}"):
        other = f'\n[vendors.other]\nformat = "mds"\ndatum = "wgs84"\ntopics = ["{topic}"]\n'
        found = problems(folder, with_line("vendors.hello", 'topics = ["t/{bike}"]') + other)
        assert len(found) == 1
        assert f'"t/{{bike}}" of hello and of "{topic}" of other' in found[0]


@pytest.mark.parametrize("path", [r"\u0000", "~nobody-here/data", "a" * 300])
def test_a_path_that_no_file_can_have_is_a_mistake(folder: Path, path: str) -> None:
    found = problems(folder, with_line("storage", f'path = "{path}"'))
    assert len(found) == 1
    assert "is not a path" in found[0]


@pytest.mark.parametrize("url", ["mqtt://bob:hunter2", "mqtt://bob:hunter2/", "mqtt://[hunter2"])
def test_a_password_in_place_of_a_port_is_not_told(folder: Path, url: str) -> None:
    """Python's own message about a port says what stands there."""
    found = problems(folder, GOOD.replace("mqtt://broker.example:1884", url))
    assert len(found) == 1
    assert "[mqtt] url: is not a URL, or what follows the colon" in found[0]
    assert "hunter2" not in found[0]


@pytest.mark.parametrize(
    "url", ["mqtt://bob:hunter2@broker.example", "mqtt://hunter2@h:1883", "mqtts://:hunter2@h"]
)
def test_credentials_in_the_url_are_refused_and_not_repeated(folder: Path, url: str) -> None:
    """The advice names the keys to use; the secret is in no message."""
    found = problems(folder, GOOD.replace("mqtt://broker.example:1884", url))
    assert len(found) == 1
    assert "use the keys username and password_file" in found[0]
    assert "hunter2" not in found[0]


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://",
        "mqtt://h:port",
        "mqtt://h:99999",
        "mqtt://h:0",
        "mqtt://h/topic",
        "http://h",
        "",
        "h:1883",
    ],
)
def test_a_url_that_is_no_broker_is_refused(folder: Path, url: str) -> None:
    """What is not mqtt://host:port is one mistake with an example."""
    found = problems(folder, GOOD.replace("mqtt://broker.example:1884", url))
    assert len(found) == 1
    assert "mqtt://broker.example:1883" in found[0]


def test_a_mistake_in_the_environment_names_the_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the message looks in the right place."""
    in_environment(
        monkeypatch,
        """
        MQTT__PROTOCOL=4
        VENDORS__HELLO__BIKES=b1,b2
        QUALITTY__MAX_GAP_S=60
        MQTT__URI=mqtt://h
        MQTT__CLIENT_ID__X=1
        DEMO=not a setting, and left alone
        """,
    )
    found = {line.split(": ")[0]: line for line in problems(folder, GOOD)}
    assert set(found) == {
        "environment variable PATROL_MQTT__PROTOCOL",
        "environment variable PATROL_VENDORS__HELLO__BIKES",
        "environment variable PATROL_QUALITTY__MAX_GAP_S",
        "environment variable PATROL_MQTT__URI",
        "patrol.toml:4",
    }
    assert '"QUALITY"' in found["environment variable PATROL_QUALITTY__MAX_GAP_S"]


def test_what_is_no_text_or_not_there_is_one_problem(folder: Path) -> None:
    """A missing file, a folder and another encoding are each said plainly."""
    assert "there is no such file" in str(check(folder / "none.toml")[0])
    assert "cannot be read" in str(check(folder)[0])
    path = folder / "gbk.toml"
    path.write_bytes('name = "城阳"'.encode("gbk"))
    assert "is not UTF-8 text (byte 8); save it as UTF-8" in str(check(path)[0])


def test_lines_that_are_not_toml_are_reported_together(folder: Path) -> None:
    """Reading goes on after a line that is wrong by itself, and finds the other mistakes."""
    text = GOOD.replace('"day"', "day").replace('"mds"', "'mds").replace('"gcj02"', '"gcj"')
    assert [line.split(": ", 1)[1] for line in problems(folder, text)] == [
        "[vendors.hello] format: the quotes do not match",
        '[vendors.hello] datum: must be one of "wgs84", "gcj02", "bd09", not \'gcj\'; '
        'did you mean "gcj02"?',
        '[policies.core] window: text needs quotes: window = "…"',
    ]


def test_a_key_that_is_there_twice_is_reported(folder: Path) -> None:
    """The second one is named by its line."""
    found = problems(folder, with_line("vendors.hello", 'datum = "wgs84"'))
    assert len(found) == 1
    assert found[0].startswith("patrol.toml:10: [vendors.hello] datum: ")


@pytest.mark.parametrize("broken", ["[policies.core", "bikes = [", "[mqtt]"])
def test_a_mistake_that_may_reach_further_ends_the_reading(folder: Path, broken: str) -> None:
    """One plain message is better than many that follow from it."""
    found = problems(folder, GOOD + "\n" + broken + "\nx = 1\n")
    assert len(found) == 1
    assert found[0].startswith("patrol.toml:")


@given(st.text(alphabet='[]{}="\n ab.1#,-:' + "'", max_size=60))
def test_any_text_gives_tables_or_mistakes(text: str) -> None:
    """The parser ends on every input, and is silent only when TOML is."""
    tables, mistakes = parse_tables(text)
    assert (tables is not None) or mistakes
    assert all(1 <= line <= max(1, len(text.splitlines())) for line, _ in mistakes)


def test_broken_zones_do_not_hide_names_that_are_right(folder: Path) -> None:
    """A zone with a bad outline is still a zone when a campaign names it."""
    bad = square("z1")
    bad["geometry"] = None
    write_zones(folder, bad, square("z2", lat=36.32))
    text = GOOD + '\n[notify.n]\nurl = "json://h"\nzones = ["z1"]\n'
    found = problems(folder, text)
    assert len(found) == 1
    assert found[0].startswith("zones.geojson: feature 1")


def test_zones_that_are_not_json_are_one_problem(folder: Path) -> None:
    """Names of zones cannot be checked then, and are not complained about."""
    (folder / "zones.geojson").write_text("{")
    found = problems(folder, GOOD + '\n[notify.n]\nurl = "json://h"\nzones = ["z1"]\n')
    assert len(found) == 1
    assert "is not JSON" in found[0]


def test_without_policies_zones_are_not_blamed(folder: Path) -> None:
    """The missing section is the mistake, not each zone that names a policy."""
    assert problems(folder, GOOD[: GOOD.index("[policies")]) == [
        "patrol.toml: [policies]: is missing"
    ]


def test_a_grid_of_many_cells_has_room_for_fewer_bikes(folder: Path) -> None:
    """What it costs to serve a district of millions of cells is said before a bike comes."""
    ring = [[120, 36], [121.7, 36], [121.7, 37.7], [120, 37.7], [120, 36]]
    write_zones(folder, {**square("z1"), "geometry": {"type": "Polygon", "coordinates": [ring]}})
    text = GOOD.replace('bikes = ["b1", "b2"]', "max_bikes = 1_000_000")
    with pytest.raises(ZonesError, match=r"can have 524,288 bikes, and 1,000,000 may come: lower"):
        district_of(*load_with_zones(written(folder, text)), 0)
