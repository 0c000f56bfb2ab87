"""A patrol.toml and zones that are right, and ways to spoil them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patrol.config.settings import load_with_zones
from patrol.errors import ConfigError, Problem

SAMPLE = Path(__file__).parents[2] / "samples/chengyang/patrol.toml"


GOOD = """\
[district]
name = "城阳"

[mqtt]
url = "mqtt://broker.example:1884"

[vendors.hello]
format = "mds"
datum = "gcj02"
bikes = ["b1", "b2"]

[policies.core]
frequency = "1h30m"
target = 0.8
window = "day"
"""


MAPPING = "timestamp = 't', lat = 'y', lng = 'x'"


MAPPED = f'format = "mapped"\ndatum = "wgs84"\nmapping = {{{MAPPING}'


def check(path: Path) -> list[Problem]:
    """Every mistake of a patrol.toml and of the zones that it names."""
    try:
        load_with_zones(path)
    except ConfigError as exc:
        return exc.problems
    return []


def in_environment(monkeypatch: pytest.MonkeyPatch, settings: str) -> None:
    """Set variables of the environment, one on each line, each after PATROL_."""
    for line in settings.split("\n"):
        name, _, value = line.strip().partition("=")
        if name:
            monkeypatch.setenv(f"PATROL_{name}", value)


def square(zone_id: str, *, lat: float = 36.30, policy: str = "core") -> dict[str, object]:
    ring = [
        [120.38, lat],
        [120.39, lat],
        [120.39, lat + 0.01],
        [120.38, lat + 0.01],
        [120.38, lat],
    ]
    return {
        "type": "Feature",
        "properties": {"zone_id": zone_id, "name": zone_id, "policy": policy},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def write_zones(folder: Path, *features: dict[str, object]) -> None:
    collection = {"type": "FeatureCollection", "features": features}
    (folder / "zones.geojson").write_text(json.dumps(collection), "utf-8")


def written(folder: Path, text: str) -> Path:
    path = folder / "patrol.toml"
    path.write_text(text, "utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    """The mistakes of a patrol.toml and its zones, without the name of the folder."""
    return [str(problem).replace(f"{folder}/", "") for problem in check(written(folder, text))]


def with_line(section: str, line: str) -> str:
    """The good configuration with a line more in a section."""
    if f"[{section}]" not in GOOD:
        return f"{GOOD}\n[{section}]\n{line}\n"
    return GOOD.replace(f"[{section}]\n", f"[{section}]\n{line}\n")
