"""Files of zones as cities publish them, as GeoJSON in WGS-84.

KML and KMZ, a zipped Shapefile with what its .prj says, and GeoJSON; each of them also packed.
GeoJSON passes as it is, unless it says that its positions refer to something else than WGS-84.
Names of properties are in small letters, whatever the file has.
"""

from __future__ import annotations

import gzip
import json
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree as Xml

import shapely

from geofence.errors import Problem, ZonesError
from geofence.geojson import other_crs

MAX_BYTES = 64 << 20
"""What a packed file may hold."""

_NAMES = ".kml", ".geojson", ".json", ".shp"
_PARTS = ".shp", ".shx", ".dbf", ".prj", ".cpg"
_CODE = re.compile(r"EPSG:+(?:[\d.]*:)*(\d+)")
_SHAPEFILE = b"\x00\x00\x27\x0a"
_DECLARED = re.compile(rb'[\xef\xbb\xbf\s]*<\?xml[^>]*encoding=["\']([\w.-]+)["\'][^>]*\?>')

# GDAL moves positions to WGS-84 while it reads a layer through such a description.
_WARPED = """<OGRVRTDataSource><OGRVRTWarpedLayer><OGRVRTLayer name="zones">
<SrcDataSource relativeToVRT="1">{file}</SrcDataSource></OGRVRTLayer>
<TargetSRS>EPSG:4326</TargetSRS></OGRVRTWarpedLayer></OGRVRTDataSource>"""


def as_geojson(data: bytes, source: str) -> bytes:
    """A file of zones or exclusions as GeoJSON; `source` is what to call it.

    What is no packed file, no Shapefile and no XML is returned as it is: whoever reads GeoJSON says
    what is wrong with it. ZonesError: it cannot be read.
    """
    try:
        return _as_geojson(data)
    except (ValueError, LookupError, OSError, EOFError, RuntimeError, zlib.error) as exc:
        raise ZonesError([Problem(source, f"cannot be read: {exc}")]) from exc
    except (Xml.ParseError, zipfile.BadZipFile) as exc:
        raise ZonesError([Problem(source, f"is damaged: {exc}")]) from exc


def _as_geojson(data: bytes) -> bytes:
    if data.startswith(b"\x1f\x8b"):
        data = gzip.GzipFile(fileobj=BytesIO(data)).read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"it holds more than {MAX_BYTES >> 20} MiB")
    if data.startswith(b"PK"):
        return _from_zip(data)
    if data.startswith(_SHAPEFILE):
        raise ValueError("a Shapefile is several files: zip the .shp, .shx, .dbf, .prj and .cpg")
    if data.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):
        return _collection(_placemarks(data))
    if b'"crs"' not in data:
        return data
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    told = other_crs(document) if isinstance(document, dict) else None
    code = _CODE.search(told or "")
    if code is None:
        return data
    document["crs"] = {"type": "name", "properties": {"name": f"EPSG:{code[1]}"}}
    # GDAL knows a file by its content; one without "<" is no description of other files.
    plain = json.dumps(document).replace("<", "\\u003c").encode()
    return _by_gdal({"zones.geojson": plain}, warped=True)


def _from_zip(data: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        # macOS adds a file with attributes beside each.
        names = [n for n in archive.namelist() if not PurePosixPath(n).name.startswith(("._", "."))]
        if sum(archive.getinfo(name).file_size for name in names) > MAX_BYTES:
            raise ValueError(f"it holds more than {MAX_BYTES >> 20} MiB")
        maps = [name for name in names if _suffix(name) in _NAMES]
        if len(maps) != 1:
            found = ", ".join(sorted(maps)[:5]) or "none"
            raise ValueError(f"it must hold one file of {', '.join(_NAMES)}; it has {found}")
        if _suffix(maps[0]) != ".shp":
            return _as_geojson(archive.read(maps[0]))
        stem = maps[0][:-4].lower()
        parts = {
            f"zones{_suffix(name)}": archive.read(name)
            for name in names
            if name[:-4].lower() == stem and _suffix(name) in _PARTS
        }
    if not parts["zones.shp"].startswith(_SHAPEFILE):
        raise ValueError(f"{maps[0]} is no Shapefile")
    if "zones.cpg" not in parts and (encoding := _encoding(parts.get("zones.dbf", b""))):
        parts["zones.cpg"] = encoding.encode()
    return _by_gdal(parts, warped="zones.prj" in parts)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _encoding(dbf: bytes) -> str | None:
    """The encoding of a table that neither says its own, nor has a .cpg; None leaves it to GDAL."""
    if dbf[29:30] != b"\0":  # the code page is said
        return None
    for encoding in ("UTF-8", "GB18030"):
        with suppress(UnicodeDecodeError):
            dbf[32:].decode(encoding)
            return encoding
    return None


def _by_gdal(parts: Mapping[str, bytes], *, warped: bool) -> bytes:
    """The features of a file, which is the first of its parts; of one that is warped in WGS-84."""
    try:
        from pyogrio import raw
    except ImportError as exc:
        raise ValueError("that needs pyogrio, which is not there: pip install pyogrio") from exc
    with tempfile.TemporaryDirectory() as folder:
        for name, content in parts.items():
            (Path(folder) / name).write_bytes(content)
        file = next(name for name in parts if name.endswith((".shp", ".geojson")))
        if warped:
            (Path(folder) / "zones.vrt").write_text(_WARPED.format(file=file))
            file = "zones.vrt"
        try:
            meta, _, shapes, columns = raw.read(Path(folder) / file, datetime_as_string=True)
        except (RuntimeError, UnicodeDecodeError) as exc:
            raise ValueError(str(exc).replace(folder, "")) from exc
    outlines = shapely.from_wkb(shapes, on_invalid="fix")
    names = [str(name) for name in meta["fields"]]
    rows = (
        zip(*(column.tolist() for column in columns), strict=True) if names else [()] * len(shapes)
    )
    return _collection(
        (
            dict(zip(names, row, strict=True)),
            None if outline is None else shapely.geometry.mapping(outline),
        )
        for row, outline in zip(rows, outlines, strict=True)
    )


def _placemarks(kml: bytes) -> Iterator[tuple[dict[str, Any], Any]]:
    """The properties and the outline of each placemark of a KML; its positions are WGS-84."""
    declared = _DECLARED.match(kml)  # expat knows few encodings
    text = kml[declared.end() :].decode(declared[1].decode()) if declared else kml
    root = Xml.fromstring(text)  # noqa: S314 - expat bounds what entities expand to
    kind = root.tag.rpartition("}")[2]
    if kind != "kml":
        raise ValueError(f"it is XML of <{kind}>; zones are GeoJSON, KML or a zipped Shapefile")
    for mark in root.iterfind(".//{*}Placemark"):
        properties = {"name": mark.findtext("{*}name")}
        for data in mark.iterfind(".//{*}Data"):
            properties[data.get("name", "")] = data.findtext("{*}value")
        for data in mark.iterfind(".//{*}SimpleData"):
            properties[data.get("name", "")] = data.text
        parts = [
            [
                _positions(ring.text or "")
                for side in ("outerBoundaryIs", "innerBoundaryIs")
                for ring in polygon.iterfind(f"{{*}}{side}//{{*}}coordinates")
            ]
            for polygon in mark.iterfind(".//{*}Polygon")
        ]
        yield properties, {"type": "MultiPolygon", "coordinates": parts} if parts else None


def _positions(coordinates: str) -> list[object]:
    """Positions of a ring of KML; what is none is left as text, for the message that says so."""
    found: list[object] = []
    for position in re.sub(r"\s*,\s*", ",", coordinates).split():
        try:
            found.append([float(number) for number in position.split(",")])
        except ValueError:
            found.append(position)
    return found


def _collection(features: Iterator[tuple[dict[str, Any], Any]]) -> bytes:
    made = [
        {
            "type": "Feature",
            "properties": {key.lower(): _value(value) for key, value in properties.items()},
            "geometry": geometry,
        }
        for properties, geometry in features
    ]
    return json.dumps({"type": "FeatureCollection", "features": made}).encode()


def _value(value: object) -> object:
    """A value of a table: NaN is none, and neither is an empty text."""
    return None if value != value or value == "" else value
