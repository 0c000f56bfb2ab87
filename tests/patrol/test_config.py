"""patrol.toml: what is accepted, where it may stand, and what becomes of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.plan import Policies
from alerts.policy import CAMPAIGN_KEYS, POLICY_KEYS
from patrol.config.fields import is_loopback, split_listen
from patrol.config.sections import Http, Mqtt, Settings, keys_of
from patrol.config.settings import load, load_with_zones
from patrol.config.tables import NAMED_TABLES
from patrol.errors import ConfigError
from tests.patrol.configurations import GOOD, SAMPLE, check, in_environment, with_line, written


def test_the_sample_district_is_right() -> None:
    """The configuration that people copy has no mistakes."""
    assert check(SAMPLE) == []


def test_values_are_read_and_the_rest_has_defaults(folder: Path) -> None:
    """A short file is enough; durations are seconds, paths absolute, names as written."""
    settings = load(written(folder, GOOD))
    assert settings.district.name == "城阳"
    assert settings.district.zones == folder / "zones.geojson"
    assert settings.district.timezone == "Asia/Shanghai"
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.tls) == (
        "broker.example",
        1884,
        False,
    )
    assert settings.storage.path == folder / "data"
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)
    assert settings.quality.max_age_s == 30 * 86_400
    assert settings.vendors["hello"].bikes == ("b1", "b2")
    assert settings.policies["core"].frequency_s == 5_400
    assert settings.influx is None


def test_settings_cannot_be_changed(folder: Path) -> None:
    """What was checked is what runs."""
    settings = load(written(folder, GOOD))
    with pytest.raises(ValueError, match="frozen"):
        settings.mqtt.url = "mqtt://other"


def test_zones_come_with_their_settings(folder: Path) -> None:
    """`patrol run` gets both from one reading."""
    settings, zones = load_with_zones(written(folder, GOOD))
    assert [zone.zone_id for zone in zones.zones] == ["z1", "z2"]
    assert {zone.policy for zone in zones.zones} <= set(settings.policies)


def test_tls_has_its_own_port() -> None:
    """Without a port the usual one of the scheme is meant."""
    plain, tls = Mqtt(url="mqtt://[::1]"), Mqtt(url="mqtts://h")
    assert (plain.host, plain.port, plain.tls) == ("::1", 1883, False)
    assert (tls.host, tls.port, tls.tls) == ("h", 8883, True)


@pytest.mark.parametrize(
    ("listen", "loopback"),
    [
        ("127.0.0.1:8080", True),
        ("localhost:0", True),
        ("[::1]:8080", True),
        ("127.1.2.3:1", True),
        ("0.0.0.0:80", False),
        ("[::]:80", False),
        ("patrol.example:80", False),
    ],
)
def test_any_address_may_be_listened_on(listen: str, loopback: bool) -> None:
    """Whether others may come in is decided at the start, when it is known who may sign in."""
    http = Http(listen=listen)
    assert http.port == int(listen.rpartition(":")[2])
    assert is_loopback(http.host) is loopback


@pytest.mark.parametrize(
    "listen", ["", ":80", "h:", "h:x", "h:70000", "::1:80", "h:-1", "h: 1", "h:²"]
)
def test_what_is_not_host_and_port_is_refused(listen: str) -> None:
    """A text without host or port is not guessed at."""
    with pytest.raises(ValueError, match="is not host:port"):
        split_listen(listen)


def test_the_environment_overrides_any_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sections, named tables whatever their spelling, lists as JSON, keys that were not there."""
    text = GOOD.replace("hello", "Hello-Bike")
    in_environment(
        monkeypatch,
        """
        MQTT__URL=mqtts://other.example
        VENDORS__HELLO_BIKE__BIKES=["b7"]
        POLICIES__CORE__FREQUENCY=45m
        POLICIES__CORE__TARGET=0.5
        POLICIES__CORE__AUTO_CLOSE=false
        QUALITY__DUTY_HOURS=["Mon-Fri 08:00-18:00"]
        INFLUX={"url": "http://h:8086", "bucket": "b"}
        CAMPAIGNS__MAY__FROM=2026-05-01
        CAMPAIGNS__MAY__TO=2026-05-03
        CAMPAIGNS__MAY__ZONES=["z1"]
        """,
    )
    settings = load(written(folder, text))
    assert settings.mqtt.port == 8883
    assert list(settings.vendors) == ["Hello-Bike"]
    assert settings.vendors["Hello-Bike"].bikes == ("b7",)
    assert settings.vendors["Hello-Bike"].datum == "gcj02"
    core = settings.policies["core"]
    assert (core.frequency_s, core.target, core.auto_close) == (2_700, 0.5, False)
    assert settings.quality.duty_hours == ("Mon-Fri 08:00-18:00",)
    assert settings.influx is not None
    assert settings.campaigns["may"].from_ == date(2026, 5, 1)


def test_paths_start_at_the_file_and_not_where_the_command_was_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`patrol run --config somewhere/patrol.toml` works from any folder."""
    path = written(folder, GOOD)
    monkeypatch.chdir("/")
    settings = load(path.relative_to("/"))
    assert settings.district.zones == folder / "zones.geojson"


def test_a_byte_order_mark_does_no_harm(folder: Path) -> None:
    """Editors on Windows write one."""
    path = folder / "patrol.toml"
    path.write_text(GOOD, "utf-8-sig")
    assert check(path) == []


def test_load_raises_everything_but_the_zones(folder: Path) -> None:
    """A command that needs no zones is not stopped by them."""
    (folder / "zones.geojson").write_text("{")
    assert load(written(folder, GOOD)).district.name == "城阳"
    with pytest.raises(ConfigError) as caught:
        load(written(folder, GOOD.replace('"mds"', '"MDS"').replace("0.8", "8")))
    assert len(caught.value.problems) == 2
    assert str(caught.value).count("\n") == 1


def test_policies_have_the_keys_that_alerts_reads(folder: Path) -> None:
    """What one package reads the other lets people write."""
    assert set(keys_of(("policies", "core"))) == POLICY_KEYS
    assert set(keys_of(("campaigns", "c"))) == POLICY_KEYS | CAMPAIGN_KEYS


def test_named_tables_are_those_of_the_settings() -> None:
    """Messages write [vendors.hello] key, and [mqtt] key."""
    named = {
        name
        for name, field in Settings.model_fields.items()
        if "dict" in str(field.annotation).lower()
    }
    assert named == NAMED_TABLES


def test_policies_go_to_alerts_as_written(folder: Path) -> None:
    """Policies and campaigns that are accepted here are accepted there."""
    (folder / "days.ics").write_text("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nEND:VCALENDAR\n")
    text = with_line("policies.core", 'exceptions = "days.ics"\nlook_back = "24h"') + (
        '\n[campaigns.c]\nzones = ["z1"]\nfrom = 2026-04-01\nto = 2026-04-02T12:00:00\n'
        'frequency = "20m"\nhours = ["Mon-Sun 08:00-18:00"]\n'
    )
    settings, zones = load_with_zones(written(folder, text))
    exceptions = settings.policies["core"].exceptions
    assert exceptions is not None
    plans = Policies.parse(
        {zone.zone_id: zone.policy for zone in zones.zones},
        {name: policy.as_written() for name, policy in settings.policies.items()},
        ZoneInfo(settings.district.timezone),
        campaigns={name: item.as_written() for name, item in settings.campaigns.items()},
        calendars={str(exceptions): exceptions.read_text()},
    )
    in_april = 1_775_100_000_000  # 2026-04-02 11:20 in China
    assert plans.policy_for("z1", in_april).frequency_s == 1_200
    assert plans.policy_for("z1", in_april + 3_600_000).frequency_s == 5_400
    assert plans.policy_for("z2", in_april).frequency_s == 5_400
