"""Which vendors and bikes there are, and the small integer each bike is known by.

Columns hold bikes as integers. The integer is given in order of first appearance, so it
means nothing outside the process that gave it: whatever is stored or compared uses the key.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Literal, NamedTuple

from bikes.errors import UnknownBike, UnknownVendor


class BikeKey(NamedTuple):
    """The name of a bike that is the same everywhere and for ever."""

    vendor: str
    bike_id: str

    def __str__(self) -> str:
        return f"{self.vendor}/{self.bike_id}"


class Roster:
    """The bikes of all vendors; grows, in any thread, and never shrinks or renumbers.

    `counts` is the number of bikes of each vendor.

    `vendors` has for each either the ids of its bikes, which are then the only ones accepted, or
    ``"any"``.
    """

    def __init__(self, vendors: Mapping[str, Iterable[str] | Literal["any"]]) -> None:
        self._index: dict[BikeKey, int] = {}
        self._keys: list[BikeKey] = []
        self._adding = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.follow(vendors)

    def follow(self, vendors: Mapping[str, Iterable[str] | Literal["any"]]) -> None:
        """Go by other lists from now on; bikes that are on none any more keep their place."""
        self._take(vendors)
        for vendor, bikes in vendors.items():
            if bikes != "any":
                self.restore(BikeKey(vendor, bike_id) for bike_id in bikes)

    def _take(self, vendors: Mapping[str, Iterable[str] | Literal["any"]]) -> None:
        self._listed = frozenset(
            BikeKey(vendor, bike_id)
            for vendor, bikes in vendors.items()
            if bikes != "any"
            for bike_id in bikes
        )
        self._open = {vendor for vendor, bikes in vendors.items() if bikes == "any"}
        self.vendors = frozenset(vendors)

    def under(self, vendors: Mapping[str, Iterable[str] | Literal["any"]]) -> Roster:
        """The same bikes under other lists, for who reads what came under those."""
        other = copy(self)
        other._take(vendors)
        return other

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: BikeKey) -> bool:
        return key in self._index

    def admits(self, key: BikeKey) -> bool:
        """Whether the bike would be new, of a vendor that may have any."""
        return key.vendor in self._open and key not in self._index

    def lists(self, vendor: str) -> frozenset[str] | None:
        """The ids on the list of a vendor; None for one that has none and may have any bike."""
        if vendor in self._open:
            return None
        return frozenset(key.bike_id for key in self._listed if key.vendor == vendor)

    @property
    def keys(self) -> list[BikeKey]:
        """Keys of all bikes; a bike's index is its position."""
        return list(self._keys)

    def key(self, index: int) -> BikeKey:
        """The key of the bike with this index; IndexError when there is none."""
        return self._keys[index]

    def at(self, key: BikeKey) -> int:
        """The index of a bike that is known; KeyError for another."""
        return self._index[key]

    def index(self, vendor: str, bike_id: str) -> int:
        """The index of a bike; a vendor that may have any bike gets a new one.

        UnknownVendor: the vendor is not configured.
        UnknownBike: the vendor has a list of bikes, and this one is not on it.
        """
        key = BikeKey(vendor, bike_id)
        if vendor not in self.vendors:
            raise UnknownVendor(vendor)
        # Not "is it known": a bike of a snapshot may have been struck off the list since.
        if vendor not in self._open and key not in self._listed:
            raise UnknownBike(bike_id)
        found = self._index.get(key)
        return self._add(key) if found is None else found

    def find(self, bike_id: str) -> list[BikeKey]:
        """The keys of all vendors' bikes with this id, for people who leave the vendor out."""
        keys = (BikeKey(vendor, bike_id) for vendor in list(self.counts))
        return [key for key in keys if key in self._index]

    def restore(self, keys: Iterable[BikeKey]) -> list[int]:
        """Indices of bikes known from an earlier life, in their order, still configured or not."""
        return [self._index[key] if key in self._index else self._add(key) for key in keys]

    def _add(self, key: BikeKey) -> int:
        with self._adding:
            if key not in self._index:
                # The key first: who finds the index in another thread can look it up.
                self._keys.append(key)
                self._index[key] = len(self._keys) - 1
                self.counts[key.vendor] += 1
            return self._index[key]
