"""What pages and programs may ask of vendors, and change in their lists of bikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from alerts.fleet import VendorFacts
from bikes.roster import BikeKey
from ingest.first_message import FirstMessage
from ingest.mqtt.listen import Stray
from ingest.vendors import VendorFormat


@dataclass
class VendorDesk:
    """The vendors of the configuration, by name."""

    formats: Callable[[], Mapping[str, VendorFormat]]
    counts: Callable[[int], Mapping[str, VendorFacts]]
    """Items since the minute of an instant [ms]."""
    first_message: Callable[[str], FirstMessage | None]
    """A message of a vendor that would be accepted; None when there is no way to write it."""
    listen: Callable[[str, float], tuple[list[str], list[Stray]]]
    """Filters, and the topics heard below them in a time [s] that nobody reads. Called in a thread;
    raises BrokerUnavailable."""
    save: Callable[[Sequence[BikeKey]], None]
    """Keeps what was accepted; StoreUnavailable: it does not."""
    follow: Callable[[BikeKey, bool], None]
    """Puts a bike on the list of its vendor, or strikes it off; StoreUnavailable: it does not."""
    accepted: tuple[BikeKey, ...] = ()  # the bikes that were put on lists here
    _changing: Lock = field(default_factory=Lock)

    def accept(self, key: BikeKey) -> None:
        """Put a bike on its vendor's list for good; StoreUnavailable: it cannot be kept."""
        self._change(key, True)

    def strike(self, key: BikeKey) -> None:
        """Take that back; StoreUnavailable: it cannot be kept."""
        self._change(key, False)

    def _change(self, key: BikeKey, accepted: bool) -> None:
        with self._changing:
            others = tuple(each for each in self.accepted if each != key)
            keys = (*others, key) if accepted else others
            self.save(keys)
            self.follow(key, accepted)
            self.accepted = keys
