"""Programs of others read a running demo: a generated client, a map program, Prometheus."""

from __future__ import annotations

import datetime
import importlib
import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyogrio.raw
import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType
from prometheus_client.parser import text_string_to_metric_families

from tests import commands
from tests.acceptance.test_demo import Lines
from tests.patience import until


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """Where a demo answers that has raised an alert."""
    process = commands.start("demo", "--speed", "200", "--port", "0")
    try:
        port = Lines(process).until(r"Console +http://127\.0\.0\.1:(\d+)/")[1]
        url = f"http://127.0.0.1:{port}"
        until(lambda: json.loads(read(f"{url}/api/v1/alerts"))["alerts"], every_s=0.5)
        yield url
    finally:
        commands.end(process)
        for pipe in (process.stdout, process.stderr):
            pipe.close()


def read(url: str) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        body: bytes = answer.read()
        return body


def test_a_generated_client_reads_it(
    demo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """openapi-python-client makes of the document what reads answers as objects with types."""
    document = tmp_path / "openapi.json"
    document.write_bytes(read(f"{demo}/api/v1/openapi.json"))
    out = tmp_path / "made" / "zhixun_client"
    kinds = {"image/png": "application/octet-stream", "text/event-stream": "text/plain"}
    settings = ConfigFile(post_hooks=[], literal_enums=True, content_type_overrides=kinds)
    wanted = Config.from_sources(settings, MetaType.NONE, document, "utf-8", True, out)
    assert [f"{error.header}: {error.detail}" for error in generate(config=wanted)] == []
    monkeypatch.syspath_prepend(str(out.parent))

    def module(name: str) -> Any:
        return importlib.import_module(f"zhixun_client.{name}")

    try:
        client = module("client").Client(base_url=f"{demo}/api/v1", raise_on_unexpected_status=True)
        models = module("models")
        zones = module("api.coverage.list_zones").sync(client=client)
        assert isinstance(zones, models.Zones)
        assert len(zones.features) == 9
        zone = zones.features[0]
        assert isinstance(zone.geometry, models.Polygon)
        assert isinstance(zone.properties, models.LiveZone)
        assert 0 <= zone.properties.covered_ratio <= 1
        alerts = module("api.alerts.list_alerts").sync(client=client)
        assert isinstance(alerts.alerts[0], models.Alert)
        record = module("api.alerts.get_alert").sync(alerts.alerts[0].alert_id, client=client)
        assert record.history[0].event == "raise"
        bikes = module("api.bikes.list_bikes").sync(client=client, limit=5)
        bike = next(each for each in bikes.bikes if each.at is not None)
        assert datetime.datetime.fromisoformat(bike.at).tzinfo is not None
        track = module("api.bikes.get_bike_track").sync(
            f"{bike.vendor}/{bike.bike_id}", client=client
        )
        assert isinstance(track, models.Track)
        shown = track.properties
        assert len(track.geometry.coordinates) == len(shown.timestamps) == len(shown.verdicts) > 1
        problem = module("api.bikes.get_bike").sync("nobody", client=client)
        assert (problem.status, problem.reason) == (404, "unknown_bike")
    finally:
        for name in [each for each in sys.modules if each.startswith("zhixun_client")]:
            del sys.modules[name]


def test_a_map_program_reads_it(demo: str, tmp_path: Path) -> None:
    """GDAL, as QGIS does: each layer with outlines and attributes."""
    since = json.loads(read(f"{demo}/api/v1/bikes?limit=1"))["at"].replace("+", "%2B")
    for path, kind, attribute in (
        ("zones", "Unknown", "covered_ratio"),  # some have two parts
        ("bikes?format=geojson", "Point", "battery_percent"),
        ("cells?format=geojson&limit=100", "Polygon", "age_s"),
        (f"tracks?format=geojson&from={since[:11]}00:00:00", "LineString", "bike_id"),
    ):
        file = tmp_path / "layer.geojson"
        file.write_bytes(read(f"{demo}/api/v1/{path}"))
        meta, _, shapes, columns = pyogrio.raw.read(file)
        assert meta["geometry_type"] == kind, path
        assert meta["crs"] == "EPSG:4326"
        assert len(shapes) > 0
        assert len(dict(zip(meta["fields"], columns, strict=True))[attribute]) == len(shapes)


def test_prometheus_reads_it(demo: str) -> None:
    """Each family has a name by the rules, a text, a type and samples that fit it, once."""
    families = list(text_string_to_metric_families(read(f"{demo}/metrics").decode()))
    names = [family.name for family in families]
    assert len(names) == len(set(names)) > 20
    for family in families:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram", "summary", "info"), family.name
        assert len({(s.name, *sorted(s.labels.items())) for s in family.samples}) == len(
            family.samples
        )
    received = next(family for family in families if family.name == "zhixun_received")
    assert received.type == "counter"
    assert received.samples[0].value > 0
