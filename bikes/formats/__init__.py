"""Formats: how a payload becomes telemetry.

A format that needs no configuration is in :data:`FORMATS` by its name; one that does is made
by a function of its module, and is the same kind of value.
"""

from __future__ import annotations

from bikes.formats import mds, owntracks
from bikes.formats.reading import Format

__all__ = ["FORMATS", "Format"]

FORMATS: dict[str, Format] = {
    "mds": Format("mds", quick=mds.quick, decode=mds.decode, encode=mds.encode),
    "owntracks": Format(
        "owntracks",
        quick=owntracks.quick,
        decode=owntracks.decode,
        in_seconds=True,
        encode=owntracks.encode,
    ),
}
"""Formats that a vendor's configuration can name, by that name."""
