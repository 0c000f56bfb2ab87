"""How each vendor writes, and how much of it is accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bikes.formats import Format
from bikes.telemetry import TelemetryBatch
from bikes.topics import TopicPattern
from geofence.datum import Datum, to_wgs84
from ingest.checks import Bounds


@dataclass(frozen=True, slots=True)
class VendorFormat:
    """How one vendor writes.

    Attributes
    ----------
    vendor : str
        Its name.
    format : Format
        How its telemetry payloads are read.
    datum : {"wgs84", "gcj02", "bd09"}
        What its positions refer to.
    topics : tuple of TopicPattern
        Its own telemetry topics, beside those of the contract.
    """

    vendor: str
    format: Format
    datum: Datum = "wgs84"
    topics: tuple[TopicPattern, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What is accepted.

    Attributes
    ----------
    max_future_s, max_age_s : float
        How far a timestamp may be after and before the time of receipt [s].
    max_items : int
        Items of an array.
    max_bytes : int
        Size of a payload.
    """

    max_future_s: float = 300.0
    max_age_s: float = 30 * 86_400.0
    max_items: int = 500
    max_bytes: int = 262_144

    def bounds(self, received_at_ms: int) -> Bounds:
        """Timestamps that are believed of what was received at this time."""
        return Bounds(
            received_at_ms - round(self.max_age_s * 1000),
            received_at_ms + round(self.max_future_s * 1000),
        )


def in_wgs84(batch: TelemetryBatch, datum: Datum) -> TelemetryBatch:
    """A batch whose positions are in `datum`, in WGS-84."""
    if datum == "wgs84" or not len(batch):
        return batch
    lat_deg, lng_deg = to_wgs84(batch.lat_deg, batch.lng_deg, datum)
    return replace(batch, lat_deg=lat_deg, lng_deg=lng_deg)
