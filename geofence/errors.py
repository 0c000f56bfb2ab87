"""Errors in the description of a district."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class GeofenceError(Exception):
    """Root of the errors of this package."""


class Problem(NamedTuple):
    """One mistake, and where it is."""

    where: str  # such as `zones.geojson: feature 3 (zone_id "cy-04")`, or a key; may be empty
    message: str  # what is wrong and what to do about it
    zone_ids: tuple[str, ...] = ()  # the zones that a warning is about

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class ZonesError(GeofenceError):
    """Zones that cannot be used. It holds every problem that was found, at least one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))
