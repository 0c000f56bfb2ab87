"""The bikes that administrators have accepted, beside those that the configuration lists.

The configuration may be read-only, and a new bike need not wait for who edits it. So they are kept
with everything else that is stored, and each list of `bikes` is read as if they stood in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from bikes.roster import BikeKey
from files.atomic_write import atomic_write
from ingest.errors import StoreUnavailable
from patrol.config.sections import Settings
from patrol.errors import ConfigError, Problem

NAME = "accepted-bikes.json"
"""In the folder where everything is stored: the ids by vendor."""


def read_accepted(folder: Path) -> list[BikeKey]:
    """The bikes that were accepted, in their order.

    ConfigError: the file is there and cannot be read.
    """
    file = folder / NAME
    try:
        found = msgspec.json.decode(file.read_bytes(), type=dict[str, list[str]])
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, msgspec.DecodeError) as exc:
        message = f"cannot be read ({exc}); restore it from a backup, or remove it"
        raise ConfigError([Problem(str(file), message)]) from exc
    return [BikeKey(vendor, bike_id) for vendor, ids in found.items() for bike_id in ids]


def write_accepted(folder: Path, accepted: Iterable[BikeKey]) -> None:
    """Replace the file; it is there after a power cut.

    StoreUnavailable: it cannot be written, and is as it was.
    """
    by_vendor: dict[str, list[str]] = {}
    for vendor, bike_id in accepted:
        by_vendor.setdefault(vendor, []).append(bike_id)
    with atomic_write(folder / NAME, StoreUnavailable) as out:
        out.write(msgspec.json.format(msgspec.json.encode(by_vendor)))


def with_accepted(settings: Settings, keys: Iterable[BikeKey], *, listed: bool = True) -> Settings:
    """The settings with these bikes on the lists of their vendors, where these have lists, or off
    them."""
    vendors = dict(settings.vendors)
    for name, bike_id in keys:
        vendor = vendors.get(name)
        if vendor is not None and vendor.bikes != "any":
            others = tuple(each for each in vendor.bikes if each != bike_id)
            bikes = (*others, bike_id) if listed else others
            vendors[name] = vendor.model_copy(update={"bikes": bikes})
    return settings.model_copy(update={"vendors": vendors})
