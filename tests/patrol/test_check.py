"""What `patrol check` tells about calendars, and refuses because `patrol run` would fail."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest.mqtt.connection import MqttOptions
from patrol.assembly import district_of
from patrol.cli import app
from patrol.clock import Clock
from patrol.config.settings import load_with_zones
from patrol.station import Station
from tests.servers import free_port
from tests.stations import configuration

EVENT = "BEGIN:VEVENT\nUID:{uid}\n{lines}\nEND:VEVENT\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The sample's configuration."""
    return configuration(tmp_path / "d", broker_url="mqtt://127.0.0.1:1", port=free_port())


def check(config: Path) -> tuple[int, str]:
    """Exit code, and what it says."""
    result = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def with_calendar(config: Path, *events: str) -> Path:
    """Give the first policy a calendar."""
    text = "".join(EVENT.format(uid=i, lines=lines) for i, lines in enumerate(events))
    ics = config.parent / "district.ics"
    ics.write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\n{text}END:VCALENDAR\n", "utf-8")
    written = config.read_text("utf-8")
    assert "\n[policies.core]" in written
    named = written.replace("\n[policies.core]", '\n[policies.core]\nexceptions = "district.ics"')
    config.write_text(named, "utf-8")
    return config


def days(ahead: int, length: int = 1) -> str:
    """An event of whole days, so many days from today."""
    first = datetime.now(UTC).date() + timedelta(days=ahead)
    dates = (f"{each:%Y%m%d}" for each in (first, first + timedelta(days=length)))
    return "DTSTART;VALUE=DATE:{}\nDTEND;VALUE=DATE:{}\n".format(*dates)


def saturday() -> date:
    """One that is soon."""
    today = datetime.now(UTC).date()
    return today + timedelta(days=14 - (today.weekday() + 2) % 7)


def test_check_prints_the_closures_of_the_next_60_days_in_words(config: Path) -> None:
    """Of each policy that has a calendar; what recurs is told in one line."""
    work = f"DTSTART;VALUE=DATE:{saturday():%Y%m%d}\nSUMMARY:国庆节（班）"
    with_calendar(
        config,
        days(40, 3) + "SUMMARY:国庆节（休）",
        work,
        days(45) + "SUMMARY:寒露",
        days(80) + "SUMMARY:元旦（休）",
        f"DTSTART:{datetime.now(UTC) + timedelta(days=2):%Y%m%d}T120000\nDURATION:PT90M\n"
        "RRULE:FREQ=DAILY\nSUMMARY:Noon break",
    )
    code, said = check(config)
    assert code == 0
    first = datetime.now(UTC).date() + timedelta(days=40)
    assert "policy core: district.ics in the next 60 days:" in said
    assert f"no duty: 国庆节（休）: {first:%a %Y-%m-%d} to " in said
    assert "(3 days)" in said
    assert f"work as on a Monday: 国庆节（班）: {saturday():%a %Y-%m-%d}\n" in said
    assert "no day off: 寒露: " in said
    assert "元旦" not in said
    assert "no duty: Noon break: " in said
    assert said.count("Noon break") == 1
    assert " 12:00 to 13:30" in said


def test_a_calendar_that_cannot_be_computed_is_refused_and_else_named(
    config: Path, tmp_path: Path
) -> None:
    """A station that was started without asking first leaves out the event, and goes on."""
    now = datetime.now(UTC)
    long = f"DTSTART:{now - timedelta(days=2):%Y%m%d}T010000Z\nSUMMARY:Long\n"
    with_calendar(config, f"{long}RDATE;VALUE=PERIOD:{now:%Y%m%d}T010000Z/P9999999D")
    code, said = check(config)
    assert code == 1
    assert "policy core: exceptions: cannot be computed: event 0: date value out of range" in said
    settings, zones = load_with_zones(config)
    nowhere = MqttOptions("127.0.0.1", 1, protocol="3.1.1", client_id="nobody", filters=("#",))
    district = district_of(settings, zones, Clock().now_ms())
    station = Station(district, tmp_path / "data", nowhere, nowhere)
    station.evaluate()
    assert len(station.judging.statuses) == 9
    (part,) = (part for part in station.health().parts if part.name == "left_out")
    assert part.reason.startswith("policy core: event 0: date value out of range")
    assert not part.required
    station.book.close_file()
    station.log.close()


@pytest.mark.parametrize("path", ["/dev/null/data", "/proc/data", "patrol.toml/data"])
def test_check_refuses_a_folder_in_which_nothing_can_be_stored(config: Path, path: str) -> None:
    """`patrol run` would stop at its start; nothing is left behind by trying."""
    text = config.read_text("utf-8").replace('path = "data"', f'path = "{path}"')
    config.write_text(text, "utf-8")
    before = sorted(config.parent.iterdir())
    code, said = check(config)
    assert code == 1
    assert "[storage] path: nothing can be stored in " in said
    assert sorted(config.parent.iterdir()) == before


@pytest.mark.parametrize("listen", ["203.0.113.7:8080", "a..b:8080", "no-such-host.invalid:80"])
def test_check_refuses_an_address_on_which_nothing_can_listen(config: Path, listen: str) -> None:
    """It is none of this machine's."""
    text = re.sub('\nlisten = "[^"]*"', f'\nlisten = "{listen}"', config.read_text("utf-8"))
    config.write_text(text, "utf-8")
    code, said = check(config)
    assert code == 1
    assert "listen" in said
