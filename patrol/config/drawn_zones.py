"""The file of zones that were drawn on the map, and when it takes the place of the configured one.

The configuration may be read-only, so what is drawn is kept with everything else that is stored:
all versions of all zones. The file remembers over which configured zones it was drawn. Once these
are edited, nobody but a person can say which of the two is meant.
"""

from __future__ import annotations

import hashlib
import json
from datetime import tzinfo
from pathlib import Path

from files.atomic_write import atomic_write
from geofence.errors import Problem, ZonesError
from geofence.redrawing import feature_of
from geofence.zones import Zones
from ingest.errors import StoreUnavailable

NAME = "drawn-zones.geojson"
"""In the folder where everything is stored."""

OVER = "drawn_over"
"""Member of the file: SHA-256 of the configured file."""

DIGEST = "digest"
"""Member of the file: SHA-256 of its features. A file of an older version has none."""


def write_drawn(file: Path, zones: Zones, configured: str, timezone: tzinfo) -> None:
    """Replace the file by all versions of all zones; it is there after a power cut.

    `configured` is the digest of the configured file that was read at the start; `timezone` is
    that of the times in the file. Raises StoreUnavailable when it cannot be written, and leaves it
    as it was.
    """
    features = [feature_of(zone, timezone) for zone in zones.zones]
    document = {
        "type": "FeatureCollection",
        OVER: configured,
        DIGEST: _digest_of_features(features),
        "features": features,
    }
    with atomic_write(file, StoreUnavailable) as out:
        out.write(json.dumps(document, ensure_ascii=False, indent=1).encode())


def _digest_of_features(features: object) -> str:
    return digest_of(json.dumps(features, sort_keys=True).encode())


def digest_of(configured: bytes) -> str:
    """The digest of a configured file, as the file of drawn zones keeps it."""
    return hashlib.sha256(configured).hexdigest()


def zones_file(storage: Path, configured: Path) -> Path:
    """Which file of zones is in force: that of drawn ones, once there is one."""
    drawn = storage / NAME
    return drawn if drawn.exists() else configured


def read_drawn(folder: Path, configured: bytes, name: str) -> tuple[Path, bytes] | None:
    """The drawn zones in a folder, if any; `name` is what the configured file is called.

    ZonesError: there are drawn zones, and nobody but a person can say whether they are meant.
    """
    file = folder / NAME
    try:
        geojson = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise ZonesError([Problem(str(file), f"cannot be read: {exc.strerror}")]) from exc
    try:
        document = json.loads(geojson)
    except (ValueError, RecursionError):
        return file, geojson  # whoever reads the zones says what is wrong
    document = document if isinstance(document, dict) else {}
    over, digest = document.get(OVER), document.get(DIGEST)
    if digest not in (None, _digest_of_features(document.get("features"))):
        message = (
            "is damaged, or was edited: restore it from a backup, or move it away to use "
            f'{name}; if it was edited, take "{DIGEST}" out of it'
        )
        raise ZonesError([Problem(str(file), message)])
    if over == digest_of(configured):
        return file, geojson
    message = (
        f"was drawn on the map over another {name} than there is now, which was edited since. "
        f"To use {name}, move the drawn file away; to go on with what was drawn, write "
        f'"{OVER}": "{digest_of(configured)}" into it, or put {name} back as it was'
    )
    raise ZonesError([Problem(str(file), message)])
