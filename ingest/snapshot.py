"""Snapshots: the state of the pipeline and the log position it belongs to, in one file.

A snapshot bounds what must be read again after a crash. It is one ``.npz`` file, written beside
the old one, synced and renamed over it, so there is always a whole one. What it holds is only
valid for the configuration it was made with: the file carries its fingerprint.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from bikes.roster import BikeKey
from files.atomic_write import atomic_write
from ingest.accounts import Account
from ingest.errors import SnapshotDamaged, StoreUnavailable

Arrays = Mapping[str, NDArray[np.generic]]
VERSION = 1

DAMAGE = (
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    ValueError,
    msgspec.DecodeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""All that zipfile and numpy say of a file that is not what was written."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Header of a snapshot."""

    fingerprint: str  # digest of the configuration that the state depends on
    seq: int  # number of the last message of the log that is in the state
    bikes: list[tuple[str, str]]  # vendor and id of each bike, by the index that the arrays use
    counts: dict[str, int]  # cumulative counters of the worker, by name
    # Items by vendor, as in :class:`ingest.accounts.Account`; an older version did not keep them.
    accounts: dict[str, Account] = {}
    # Stretches of time whose telemetry the state lacks, ``[from, to)`` [ms].
    lost: list[tuple[int, int]] = []
    version: int = VERSION  # version of this format

    @property
    def keys(self) -> list[BikeKey]:
        """The bikes' keys."""
        return [BikeKey(*bike) for bike in self.bikes]


class Snapshot(NamedTuple):
    """A header and its arrays."""

    header: Header
    arrays: dict[str, NDArray[np.generic]]


def under(prefix: str, arrays: Arrays) -> dict[str, NDArray[np.generic]]:
    """The arrays whose name begins with `prefix`, without it."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


_Written = tuple[Header, list[str]]


def save(file: Path, header: Header, arrays: Arrays) -> None:
    """Write a snapshot; on return it survives a power cut.

    StoreUnavailable: the snapshot cannot be written now; the one before it stays.
    """
    # With the names, because a zip file can lose a member and still look whole.
    encoded = np.frombuffer(msgspec.json.encode((header, list(arrays))), np.uint8)
    with atomic_write(file, StoreUnavailable) as out:
        np.savez(out, header=encoded, **arrays)  # type: ignore[arg-type]


def load(file: Path, fingerprint: str | None) -> Snapshot | None:
    """The snapshot in `file`.

    None when there is none, or it is of another version or configuration (None takes any). The
    caller then starts from the archive and the log, which hold everything.

    SnapshotDamaged: it is not what was written: as good as none, but told.
    """
    if not file.exists():
        return None
    try:
        with zipfile.ZipFile(file) as content:
            members = [name.removesuffix(".npy") for name in content.namelist()]
        with np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in members}
        header, names = msgspec.json.decode(arrays.pop("header").tobytes(), type=_Written)
    except DAMAGE as exc:
        raise SnapshotDamaged(file, str(exc)) from exc
    if header.version != VERSION or header.fingerprint != (fingerprint or header.fingerprint):
        return None
    if arrays.keys() != set(names):
        raise SnapshotDamaged(file, "arrays are missing")
    return Snapshot(header, arrays)
