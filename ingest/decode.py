"""Messages into telemetry: what every message says, and why some are not accepted.

Pure: the outcome is a function of the messages, the configuration and nothing else; the time
of receipt in the batch is the only clock. So reading the log again gives the same again.

A message is judged in this order, and the first reason found is the one that is given:
its topic (``unknown_vendor``, ``unknown_bike``), its size (``too_large``), its text
(``not_json``, ``schema``, ``too_many``), then each item's device, ranges and timestamp. On a
topic of many bikes the device says whose item it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from bikes.roster import Roster
from ingest.messages import Messages
from ingest.reading import Decoded, Reading
from ingest.routes import Routes
from ingest.vendors import DecodeLimits, VendorFormat

__all__ = ["DecodeLimits", "Decoded", "Decoder", "VendorFormat"]


class Decoder:
    """Decodes batches of messages; for one thread at a time.

    Parameters
    ----------
    roster : Roster
        Grows by the bikes of vendors that may have any.
    vendors : mapping of str to VendorFormat
        How each vendor of the roster writes.
    limits : DecodeLimits
        What is accepted.

    Raises
    ------
    ValueError
        The roster has a vendor of which it is not said how it writes.
    """

    def __init__(
        self,
        roster: Roster,
        vendors: Mapping[str, VendorFormat],
        limits: DecodeLimits | None = None,
    ) -> None:
        missing = sorted(roster.vendors - vendors.keys())
        if missing:
            raise ValueError(f"no format for vendors on the roster: {', '.join(missing)}")
        self._vendors = dict(vendors)
        self._limits = limits or DecodeLimits()
        self._routes = Routes(roster, {name: v.topics for name, v in self._vendors.items()})

    def decode(self, messages: Messages) -> Decoded:
        """What `messages` say. Never raises for anything they say."""
        return Reading(messages, self._vendors, self._limits, self._routes).read()
