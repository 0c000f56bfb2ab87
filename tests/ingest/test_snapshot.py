"""Snapshots are whole or they are not there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.roster import BikeKey
from ingest import snapshot
from ingest.errors import SnapshotDamaged, StoreUnavailable
from ingest.snapshot import Header

HEADER = Header(
    fingerprint="now",
    seq=42,
    bikes=[("hello", "HB1"), ("other", "智-1")],
    counts={"received": 50, "rejected": 8},
)
ARRAYS = {
    "pipeline.settled": np.array([1, -(1 << 62)], np.int64),
    "pipeline.context_lat_deg": np.array([36.3, np.nan, -0.0]),
    "fleet.online": np.array([-1, 0, 1], np.int8),
    "empty": np.empty(0, np.float32),
    "mask": np.array([True, False]),
}


def saved(folder: Path, header: Header = HEADER) -> Path:
    """A snapshot in a folder."""
    file = folder / "coverage.npz"
    snapshot.save(file, header, ARRAYS)
    return file


def test_what_was_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """Header, values and dtypes are those that were given."""
    found = snapshot.load(saved(tmp_path), "now")
    assert found is not None
    assert found.header == HEADER
    assert found.header.keys == [BikeKey("hello", "HB1"), BikeKey("other", "智-1")]
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].tobytes() == array.tobytes()


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    """The first life has nothing to go on from."""
    assert snapshot.load(tmp_path / "coverage.npz", "now") is None


def test_one_of_another_configuration_is_not_used(tmp_path: Path) -> None:
    """What was judged by other rules says nothing."""
    assert snapshot.load(saved(tmp_path), "changed") is None


def test_one_of_another_version_is_not_used(tmp_path: Path) -> None:
    """A program does not guess what a newer or older one meant."""
    header = Header(fingerprint="now", seq=1, bikes=[], counts={}, version=snapshot.VERSION + 1)
    assert snapshot.load(saved(tmp_path, header), "now") is None


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"\x93NUMPY\x01\x00", b"not a snapshot"])
def test_something_else_is_not_used(tmp_path: Path, content: bytes) -> None:
    """A file that is no snapshot is said to be damaged."""
    file = tmp_path / "coverage.npz"
    file.write_bytes(content)
    with pytest.raises(SnapshotDamaged):
        snapshot.load(file, "now")
    np.save(tmp_path / "array.npy", np.arange(3))
    with pytest.raises(SnapshotDamaged, match=r"array\.npy.* makes a new one"):
        snapshot.load(tmp_path / "array.npy", "now")
    np.savez(file, header=np.frombuffer(b"{}", np.uint8))
    with pytest.raises(SnapshotDamaged):
        snapshot.load(file, "now")
    np.savez(file, nothing=np.arange(3))
    with pytest.raises(SnapshotDamaged):
        snapshot.load(file, "now")


def test_every_shorter_file_is_not_used(tmp_path: Path) -> None:
    """Whatever of it a broken disk kept, it is whole or it is not used."""
    file = saved(tmp_path)
    content = file.read_bytes()
    for size in range(0, len(content), 7):
        file.write_bytes(content[:size])
        with pytest.raises(SnapshotDamaged):
            snapshot.load(file, "now")


@settings(max_examples=150)
@given(st.data())
def test_a_changed_byte_is_noticed_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """No damage makes other values, or an error that nobody expects."""
    folder = tmp_path_factory.mktemp("damage")
    content = bytearray(saved(folder).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    (folder / "coverage.npz").write_bytes(content)
    found = None
    with suppress(SnapshotDamaged):
        found = snapshot.load(folder / "coverage.npz", "now")
    if found is not None:
        assert found.header == HEADER
        assert found.arrays.keys() == ARRAYS.keys()
        for name in ARRAYS:
            assert found.arrays[name].tobytes() == ARRAYS[name].tobytes()


def test_a_failed_save_leaves_the_one_before(tmp_path: Path) -> None:
    """When the disk does not take it the old one stays, whole, and nothing else does."""
    file = saved(tmp_path)
    (tmp_path / "coverage.tmp").mkdir()
    newer = Header(fingerprint="now", seq=43, bikes=[], counts={})
    with pytest.raises(StoreUnavailable, match="cannot be written now"):
        snapshot.save(file, newer, ARRAYS)
    found = snapshot.load(file, "now")
    assert found is not None
    assert found.header.seq == 42
    (tmp_path / "coverage.tmp").rmdir()
    snapshot.save(file, newer, ARRAYS)
    found = snapshot.load(file, "now")
    assert found is not None
    assert found.header.seq == 43
    assert [entry.name for entry in tmp_path.iterdir()] == ["coverage.npz"]
