"""The file of drawn zones: written whole, read instead of the configured one, or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from geofence.redrawing import ended
from geofence.zones import Zones
from ingest.errors import StoreUnavailable
from patrol.config.drawn_zones import NAME, OVER, digest_of, write_drawn
from patrol.config.settings import load_with_zones
from patrol.errors import ConfigError
from tests.stations import SAMPLE, configuration

SHANGHAI = ZoneInfo("Asia/Shanghai")
T = 1_763_859_600_123


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The sample's configuration, with the zones beside it."""
    return configuration(tmp_path / "config", broker_url="mqtt://127.0.0.1:1", port=1)


def draw(config: Path) -> Zones:
    """One zone has been ended on the map."""
    settings, zones = load_with_zones(config)
    settings.storage.path.mkdir(exist_ok=True)
    configured = digest_of(settings.district.zones.read_bytes())
    drawn = ended(zones, "cy-04", T, SHANGHAI)
    write_drawn(settings.storage.path / NAME, drawn, configured, SHANGHAI)
    return drawn


def test_what_was_drawn_is_read_instead(config: Path) -> None:
    """To the millisecond and the last digit of every vertex, with the configured exclusions."""
    drawn = draw(config)
    _, zones = load_with_zones(config)
    assert zones == drawn
    assert [zone.valid_to_ms for zone in zones.zones if zone.zone_id == "cy-04"] == [T]


def test_it_is_looked_for_where_it_is_said(config: Path, tmp_path: Path) -> None:
    """The demo has a folder of its own, whatever the sample's settings say."""
    drawn = draw(config)
    _, zones = load_with_zones(config, storage=tmp_path)
    assert zones != drawn


def test_when_the_configured_zones_were_edited_since_a_person_decides(config: Path) -> None:
    """The message says what happened and every choice; each choice works."""
    drawn = draw(config)
    configured = config.parent / "zones.geojson"
    before = configured.read_bytes()
    configured.write_bytes(before.replace(b'"cy-05"', b'"cy-55"'))
    with pytest.raises(ConfigError) as caught:
        load_with_zones(config)
    (problem,) = caught.value.problems
    file = config.parent / "data" / NAME
    assert problem.where == str(file)
    for said in ("drawn on the map over another zones.geojson", "move the drawn file away", OVER):
        assert said in problem.message
    document = json.loads(file.read_bytes())
    document[OVER] = digest_of(configured.read_bytes())
    file.write_text(json.dumps(document), "utf-8")
    assert load_with_zones(config)[1] == drawn
    file.rename(file.with_suffix(".away"))
    assert "cy-55" in [zone.zone_id for zone in load_with_zones(config)[1].zones]
    file.with_suffix(".away").rename(file)


def test_a_drawn_file_that_is_broken_is_named(config: Path) -> None:
    """As every file of zones is."""
    draw(config)
    file = config.parent / "data" / NAME
    file.write_text("{", "utf-8")
    with pytest.raises(ConfigError, match=f"{NAME}: is not JSON"):
        load_with_zones(config)


def test_a_file_that_cannot_be_written_stays(config: Path) -> None:
    """Nothing of it is lost."""
    drawn = draw(config)
    file = config.parent / "data" / NAME
    file.with_suffix(".tmp").mkdir()  # in the way, even of root
    with pytest.raises(StoreUnavailable):
        write_drawn(file, replace(drawn, zones=drawn.zones[:1]), "x", SHANGHAI)
    assert load_with_zones(config)[1] == drawn


def test_the_sample_has_no_drawn_zones() -> None:
    """So that whoever copies it begins with what it shows."""
    assert not (SAMPLE / "data" / NAME).exists()
