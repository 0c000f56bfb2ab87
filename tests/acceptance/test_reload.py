"""SIGHUP: settings are taken over while messages flow, and a mistake changes nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geofence.datum import to_wgs84
from tests.broker import Broker
from tests.servers import Answer, Request, answering
from tests.stations import Station, new_station

LAT, LNG = 36.3068, 120.3891
ACME = '[vendors.acme]\nformat = "owntracks"\ndatum = "wgs84"\ntopics = ["own/{bike}"]\n'


@contextmanager
def running(folder: Path, broker: Broker, version: str = "5") -> Iterator[Station]:
    """A running station, by a version of the protocol."""
    protocol = {'protocol = "5"': f'protocol = "{version}"'}
    with new_station(folder / "station", broker.url, **protocol) as station:
        station.wait(station.ready)
        yield station


def write(station: Station, old: str, new: str) -> None:
    """Replace some text in the configuration."""
    text = station.config.read_text("utf-8")
    assert old in text
    station.config.write_text(text.replace(old, new, 1), "utf-8")


def reload(station: Station, said: str = "the configuration is reloaded") -> None:
    """SIGHUP, and wait for what the station says to it."""
    before = station.said().count(said)
    station.send(signal.SIGHUP)
    station.wait(lambda: station.said().count(said) > before)


def reload_topics(station: Station) -> None:
    """The same, and wait until the station has subscribed to other topics."""
    connected = station.said().count("] connected ")
    reload(station)
    station.wait(lambda: station.said().count("] connected ") > connected)


def part(station: Station) -> dict[str, Any]:
    """The configuration, as /readyz shows it."""
    parts = station.get("/readyz")["parts"]
    return next(each for each in parts if each["name"] == "configuration")


def mds(bike: str) -> tuple[str, bytes]:
    """A fix of now, as a vendor's bike sends it."""
    fix = {"timestamp": int(time.time() * 1000), "location": {"lat": LAT, "lng": LNG}}
    return f"patrol/v1/hello/{bike}/telemetry", json.dumps(fix).encode()


def owntracks(bike: str) -> tuple[str, bytes]:
    """A fix of now, on a vendor's own topic."""
    fix = {"_type": "location", "lat": LAT, "lon": LNG, "tst": int(time.time())}
    return f"own/{bike}", json.dumps(fix).encode()


def place(station: Station, bike: str) -> list[float] | None:
    """Where a bike's track of the last hour ends; None while it has none."""
    since_ms = int(time.time() * 1000) - 3_600_000
    found = station.get(f"/api/v1/bikes/{bike}/track?from={since_ms}") or {}
    coordinates = (found.get("geometry") or {}).get("coordinates")
    return list(coordinates[-1]) if coordinates else None


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_vendors_change_while_messages_flow(tmp_path: Path, broker: Broker, version: str) -> None:
    """A datum, a vendor, its topics and a list of bikes hold from now on; what came before stays
    as it was read, also when a crash has the log read again."""
    there = pytest.approx([LNG, LAT], abs=1e-6)
    lat, lng = to_wgs84(np.array([LAT]), np.array([LNG]), "gcj02")
    moved = pytest.approx([lng[0], lat[0]], abs=1e-6)
    places = {"HB001": there, "HB002": moved, "NEW1": moved, "a1": there}
    with running(tmp_path, broker, version) as station:
        broker.publish([mds("HB001")])
        station.wait(lambda: place(station, "HB001"))
        write(station, 'datum = "wgs84"', 'datum = "gcj02"')
        write(station, '    "HB001",', '    "NEW1",')
        write(station, "[policies.core]", f"{ACME}[policies.core]")
        reload_topics(station)
        assert (part(station)["ok"], part(station)["reason"]) == (True, "")
        broker.publish([mds("HB001"), mds("HB002"), mds("NEW1"), owntracks("a1")])
        station.wait(lambda: all(place(station, bike) for bike in places))
        assert {bike: place(station, bike) for bike in places} == places
        accounts = station.accounts()
        station.kill()
        station.start()
        station.wait(station.ready)
        assert station.accounts() == accounts
        assert {bike: place(station, bike) for bike in places} == places
        write(station, 'topics = ["own/{bike}"]', 'topics = ["elsewhere/{bike}"]')
        reload_topics(station)
        received = station.metric("zhixun_messages_received_total")
        broker.publish([owntracks("a1"), ("elsewhere/a2", owntracks("a2")[1])])
        station.wait(lambda: place(station, "a2"))
        assert station.metric("zhixun_messages_received_total") == received + 1


def test_what_is_not_taken_over_is_told(tmp_path: Path, broker: Broker) -> None:
    """A mistake changes nothing, and what waits for a start is named while the rest is taken over;
    in one line of the log, and on /readyz."""
    with running(tmp_path, broker) as station:
        write(station, 'datum = "wgs84"', 'datum = "gcj2"')
        write(station, 'frequency = "30m"', 'frequency = "20m"')
        reload(station, "the configuration is not reloaded")
        told = [line for line in station.said().splitlines() if "is not reloaded" in line]
        assert [line.count("[vendors.hello] datum: must be") for line in told] == [1]
        assert station.ready()
        assert not part(station)["ok"]
        assert "[vendors.hello] datum: must be" in part(station)["reason"]
        assert asked(station) == 1800
        write(station, 'datum = "gcj2"', 'datum = "gcj02"')
        write(station, "cell_m = 100 ", "cell_m = 50 ")
        reload(station)
        assert part(station)["reason"] == "a start is needed for: [district] cell_m, [policies]"
        assert (part(station)["ok"], asked(station)) == (True, 1800)
        write(station, "cell_m = 50 ", "cell_m = 100 ")
        reload(station)
        assert (part(station)["reason"], asked(station)) == ("", 1200)
        # Coverage that is stored depends on this one, so all policies wait.
        write(station, "min_cell_m = 30", "min_cell_m = 5 ")
        write(station, 'frequency = "20m"', 'frequency = "10m"')
        tokens = station.config.parent / "tokens"
        tokens.write_text(tokens.read_text("utf-8").replace("admin", "viewer"), "utf-8")
        reload(station)
        assert part(station)["reason"] == "a start is needed for: min_cell_m, [policies]"
        assert asked(station) == 1200
        assert station.get("/api/v1/users")["reason"] == "role_too_low"


def asked(station: Station) -> float:
    """How often a zone of the policy `core` is to be patrolled [s]."""
    return float(station.get("/api/v1/zones/cy-04/policy")["frequency_s"])


def test_a_recipient_is_added_and_tried(tmp_path: Path, broker: Broker) -> None:
    """A webhook whose URL is in a file is told from the reload on, and tried by API and command."""
    received = []

    def hook(asked: Request) -> Answer:
        received.append((asked.path, json.loads(asked.body)["title"]))
        return Answer(500 if len(received) == 3 else 200)

    with running(tmp_path, broker) as station, answering(hook) as url:
        file = station.config.parent / "hook.url"
        file.write_text(f"{url}/secret\n", "utf-8")
        file.chmod(0o644)
        text = '[notify.desk]\nurl_file = "hook.url"\nlanguage = "en"\n'
        write(station, "[policies.core]", f"{text}[policies.core]")
        reload(station, "the configuration is not reloaded")
        assert "everybody may read hook.url" in part(station)["reason"]
        file.chmod(0o640)
        reload(station)
        assert station.get("/api/v1/recipients") == {"recipients": [{"name": "desk"}]}

        def tried() -> Any:
            asked = station.request("/api/v1/recipients/desk/test", data=b"", method="POST")
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return json.load(answer)

        command = [sys.executable, "-m", "patrol", "notify", "test", "desk", "--config"]
        assert tried() == {"name": "desk", "delivered": True, "detail": ""}
        assert subprocess.run([*command, station.config], check=False).returncode == 0
        assert not tried()["delivered"]
        (entry, _) = station.get("/api/v1/audit?action=notification_tested")["entries"]
        assert (entry["actor"], entry["subject"]) == ("file:tests", "desk")
        assert entry["detail"] == {"why": "notify.desk: the service did not take it"}
        assert url not in station.said()
    assert received == [("/secret", "[Zhixun] A test")] * 3
