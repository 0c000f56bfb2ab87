"""The name of each zone; a zone may be renamed while the system runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from geofence.atlas import Atlas
from words.catalogue import Language


@dataclass(frozen=True)
class ZoneNames(Mapping[str, str]):
    """Names by zone id: as they are now, or were last; of one that is to come, as it will be.

    Parameters
    ----------
    atlas : Atlas
        The zones.
    language : Language
        `name_zh` counts in Chinese only.
    now_ms : callable
        The clock [ms].
    """

    atlas: Atlas
    language: Language
    now_ms: Callable[[], int]

    def __getitem__(self, zone_id: str) -> str:
        now_ms = self.now_ms()
        versions = [z for z in self.atlas.layout.zones.zones if z.zone_id == zone_id]
        begun = [z for z in versions if z.valid_from_ms is None or z.valid_from_ms <= now_ms]
        if not versions:
            raise KeyError(zone_id)
        zone = begun[-1] if begun else versions[0]
        return (zone.name_zh if self.language == "zh" else None) or zone.name

    def __iter__(self) -> Iterator[str]:
        return iter(self.atlas.layout.zone_ids)

    def __len__(self) -> int:
        return len(self.atlas.layout.zone_ids)
