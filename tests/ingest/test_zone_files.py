"""Zones in the formats of cities: KML, zipped Shapefiles, GeoJSON in another reference system."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyogrio import raw

from geofence.errors import ZonesError
from geofence.zones import Zones, parse_zones
from ingest.zone_files import as_geojson
from tests.patrol.configurations import GOOD, written

SQUARE = shapely.box(120.38, 36.30, 120.39, 36.31)
RING = "120.38,36.3,5 120.39,36.3,5 120.39,36.31,5\n 120.38, 36.31, 5 120.38,36.3,5"
PLACEMARK = f"""<Placemark><name>North</name><ExtendedData>
<Data name="Zone_ID"><value>n-1</value></Data>
<SchemaData><SimpleData name="policy">core</SimpleData></SchemaData></ExtendedData>
<MultiGeometry><Point><coordinates>120.38,36.3</coordinates></Point><Polygon><outerBoundaryIs>
<LinearRing><coordinates>{RING}</coordinates></LinearRing></outerBoundaryIs></Polygon>
</MultiGeometry></Placemark>"""
KML = f'<kml xmlns="http://www.opengis.net/kml/2.2"><Folder>{PLACEMARK}</Folder></kml>'


def zones(data: bytes) -> Zones:
    """What a file says."""
    return parse_zones(as_geojson(data, "zones"), None, {"core"})


def refusal(data: bytes) -> str:
    """Why a file cannot be read."""
    with pytest.raises(ZonesError) as refused:
        as_geojson(data, "zones")
    (problem,) = refused.value.problems
    return str(problem)


def packed(**files: bytes) -> bytes:
    """A zip archive of files, and what macOS puts beside them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"Zones/{name.replace('_', '.')}", content)
            archive.writestr(f"__MACOSX/Zones/._{name.replace('_', '.')}", b"\0")
    return out.getvalue()


def shapefile(folder: Path, *, crs: str = "EPSG:4326", encoding: str = "UTF-8") -> dict[str, bytes]:
    """The files of a Shapefile with one zone; its id is a number, its name Chinese."""
    metres = shapely.box(500_000, 4_020_000, 501_000, 4_021_000)
    outline = SQUARE if crs == "EPSG:4326" else metres
    columns = {"ZONE_ID": 7.0, "NAME": "城阳街道", "POLICY": "core", "VALID_FROM": "2026-05-01"}
    values = [np.array([value]) for value in columns.values()]
    values[3] = values[3].astype("datetime64[D]")
    raw.write(
        folder / "a.shp",
        np.array([shapely.to_wkb(outline)], object),
        [v.astype(object) if v.dtype.kind == "U" else v for v in values],
        list(columns),
        crs=crs,
        geometry_type="Polygon",
        driver="ESRI Shapefile",
        encoding=encoding,
    )
    return {f"A_{part.suffix[1:].upper()}": part.read_bytes() for part in folder.glob("a.*")}


@pytest.mark.parametrize(
    "data",
    [
        KML.encode("utf-8-sig"),
        KML.encode("utf-16"),
        b'\n<?xml version="1.0" encoding="gb2312"?>' + KML.replace("North", "城北").encode("gbk"),
        KML.replace("/kml/2.2", "/kml/2.0").encode(),
        packed(doc_kml=KML.encode()),
        gzip.compress(KML.encode()),
    ],
)
def test_kml_is_read(data: bytes) -> None:
    """In any encoding and packing; a label beside the outline, heights and blanks do no harm."""
    (zone,) = zones(data).zones
    assert (zone.zone_id, zone.policy) == ("n-1", "core")
    assert zone.name in ("North", "城北")
    assert zone.geometry.equals(SQUARE)


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK"])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_zipped_shapefile_is_read(tmp_path: Path, encoding: str, is_told: bool) -> None:
    """Chinese names also where nothing says in which encoding they are, numbers and dates."""
    parts = shapefile(tmp_path, encoding=encoding)
    if not is_told:
        del parts["A_CPG"]
        parts["A_DBF"] = parts["A_DBF"][:29] + b"\0" + parts["A_DBF"][30:]
    (zone,) = zones(packed(**parts)).zones
    assert (zone.zone_id, zone.name, zone.policy) == ("7", "城阳街道", "core")
    assert zone.valid_from_ms == 1_777_564_800_000
    assert zone.geometry.equals(SQUARE)


def test_other_reference_systems_become_wgs84(tmp_path: Path) -> None:
    """A .prj of CGCS2000 in three-degree strips, and the crs member of older GeoJSON."""
    (zone,) = zones(packed(**shapefile(tmp_path, crs="EPSG:4549"))).zones
    assert shapely.box(119.99, 36.2, 120.02, 36.4).contains(zone.geometry)
    ring = [[13401640, 4341000], [13402640, 4341000], [13402640, 4342000], [13401640, 4341000]]
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG:6.18:3:3857"}}
    properties = {"zone_id": "007", "name": "<a>", "policy": "core"}
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    document = {"type": "FeatureCollection", "crs": named, "features": [feature]}
    (zone,) = zones(json.dumps(document).encode()).zones
    assert (zone.zone_id, zone.name) == ("007", "<a>")
    assert shapely.box(120.38, 36.29, 120.40, 36.31).contains(zone.geometry)
    # Without its .prj a Shapefile says metres, and the message says what to do.
    parts = shapefile(tmp_path, crs="EPSG:4549")
    del parts["A_PRJ"]
    with pytest.raises(ZonesError, match="look like projected metres"):
        zones(packed(**parts))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04 no archive", "is damaged: File is not a zip file"),
        (packed(a_txt=b"?"), "it must hold one file of .kml, .geojson, .json, .shp; it has none"),
        (packed(a_kml=b"", b_kml=b""), "it has Zones/a.kml, Zones/b.kml"),
        (packed(a_shp=b"<OGRVRTDataSource>"), "Zones/a.shp is no Shapefile"),
        (packed(a_shp=b"\0\0\x27\x0a"), "cannot be read: "),
        (b"\0\0\x27\x0a", "zip the .shp, .shx, .dbf, .prj and .cpg"),
        (b"<html></html>", "it is XML of <html>; zones are GeoJSON, KML or a zipped Shapefile"),
        (b"<kml><Placemark>", "is damaged: no element found"),
        (b'<?xml version="1.0" encoding="klingon"?><kml/>', "unknown encoding: klingon"),
        (gzip.compress(bytes(65 << 20)), "it holds more than 64 MiB"),
        (packed(a_kml=bytes(65 << 20)), "it holds more than 64 MiB"),
        (gzip.compress(KML.encode())[:-20], "cannot be read: "),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(data: bytes, message: str) -> None:
    """Damaged, too much, several at once, of another kind."""
    assert message in refusal(data)


def test_a_description_of_other_files_reads_none_of_them() -> None:
    """GDAL follows some files to others: none that is brought here gets so far."""
    secret = (
        "<OGRVRTDataSource><OGRVRTLayer name='zones'><SrcDataSource>/etc/passwd</SrcDataSource>"
    )
    assert "XML of <OGRVRTDataSource>" in refusal(
        f"{secret}</OGRVRTLayer></OGRVRTDataSource>".encode()
    )
    document = {"x": secret, "type": "FeatureCollection", "crs": "EPSG:3857", "features": []}
    found = as_geojson(json.dumps(document).encode(), "zones")
    assert json.loads(found) == {"type": "FeatureCollection", "features": []}


def test_the_configuration_takes_them(tmp_path: Path) -> None:
    """As zones and as exclusions; a mistake has the name of the file."""
    from patrol.config.settings import load_with_zones
    from patrol.errors import ConfigError

    parts = shapefile(tmp_path)
    (tmp_path / "zones.zip").write_bytes(packed(**parts))
    (tmp_path / "ponds.kml").write_text(KML, "utf-8")
    text = GOOD.replace("[district]", '[district]\nzones = "zones.zip"\nexclusions = "ponds.kml"')
    _, found = load_with_zones(written(tmp_path, text))
    assert [zone.zone_id for zone in found.zones] == ["7"]
    assert [each.name for each in found.exclusions] == ["North"]
    (tmp_path / "zones.zip").write_bytes(b"PK")
    with pytest.raises(ConfigError, match=r"zones\.zip: is damaged"):
        load_with_zones(tmp_path / "patrol.toml")
