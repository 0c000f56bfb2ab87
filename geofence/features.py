"""The features of a GeoJSON file, each with the words to find it again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from geofence.errors import Problem

_WGS84 = ("CRS84", "EPSG::4326", "EPSG:4326", "EPSG::4490", "EPSG:4490")
"""Old GeoJSON may name its datum. CGCS2000 (4490) is within centimetres of WGS-84."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a file.

    Attributes
    ----------
    where : str
        Such as ``zones.geojson: feature 3 (zone_id "cy-04")``; features count from 1.
    number : int
        Its position in the file, from 1.
    properties : dict
        Empty when the feature has none.
    geometry : object
        As decoded; not checked.
    """

    where: str
    number: int
    properties: dict[str, Any]
    geometry: Any

    def reporter(self, problems: list[Problem]) -> Callable[[str], None]:
        """A function that notes a problem of this feature."""
        return lambda message: problems.append(Problem(self.where, message))


def read_features(
    geojson: bytes, source: str, key: str, problems: list[Problem]
) -> Iterator[Feature]:
    """The features of a FeatureCollection; what is not one is added to `problems`.

    Parameters
    ----------
    geojson : bytes
        UTF-8 JSON.
    source : str
        What to call the file.
    key : str
        The property that people know a feature by.
    problems : list of Problem
        Appended to.
    """
    try:
        document = json.loads(geojson)
    except UnicodeDecodeError as exc:
        problems.append(Problem(source, f"is not UTF-8 text (byte {exc.start}); save it as UTF-8"))
        return
    except (ValueError, RecursionError) as exc:
        problems.append(Problem(source, f"is not JSON: {exc}"))
        return
    collection = _collection(document, source, problems)
    for number, item in enumerate(collection, 1):
        where = f"{source}: feature {number}"
        if not isinstance(item, dict) or item.get("type") != "Feature":
            problems.append(Problem(where, "is not an object with type Feature"))
            continue
        properties = item.get("properties")
        known = properties if isinstance(properties, dict) else {}
        name = known.get(key)
        if isinstance(name, str) and name:
            where += f" ({key} {json.dumps(name[:64], ensure_ascii=False)})"
        yield Feature(where, number, known, item.get("geometry"))


def _collection(document: Any, source: str, problems: list[Problem]) -> list[Any]:
    kind = document.get("type") if isinstance(document, dict) else None
    if kind != "FeatureCollection":
        what = f"type {json.dumps(kind)}" if isinstance(document, dict) else "not an object"
        problems.append(
            Problem(source, f"is not a GeoJSON FeatureCollection but {what}; wrap the features")
        )
        return []
    crs = document.get("crs")
    if crs is not None and not any(name in json.dumps(crs) for name in _WGS84):
        problems.append(
            Problem(source, f"is in {json.dumps(crs)[:80]}; export it as WGS-84 (EPSG:4326)")
        )
    features = document.get("features")
    if not isinstance(features, list):
        problems.append(Problem(source, "has no list of features"))
        return []
    return features
