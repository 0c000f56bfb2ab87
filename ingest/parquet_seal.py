"""Checksums of a file of the archive, so that no damage is ever read as truth.

They lie between the last row group and the footer, where readers of Parquet see nothing: that of
each row group, crc32 of these and the footer, and "ZXC1". A file of an older version has none.
"""

from __future__ import annotations

from pathlib import Path
from struct import pack, unpack
from typing import Any, BinaryIO
from zlib import crc32

import numpy as np

MARK = b"ZXC1"
BLOCK = 4096


def seal(out: BinaryIO, metadata: Any) -> None:
    """Put checksums into a file that was just written, and flushed, with this metadata."""
    with Path(out.name).open("rb") as written:
        crcs = b""
        for begin, length in map(_place, map(metadata.row_group, range(metadata.num_row_groups))):
            written.seek(begin)
            crcs += pack("<I", _checksum(written.read(length)))
        begin = written.tell()
        footer = written.read()
    out.seek(begin)
    out.write(crcs + pack("<I4s", crc32(footer, crc32(crcs)), MARK) + footer)


def crcs_of(source: Any, metadata: Any) -> tuple[int, ...] | None:
    """The checksum of each row group of an open file; None in a file of an older version.

    Raises ValueError when the footer, from which `metadata` comes, is not as it was written.
    """
    (length,) = unpack("<I", source.read_at(4, source.size() - 8))
    count = 4 * metadata.num_row_groups
    begin = source.size() - 8 - length - 8 - count
    crcs, sealed = source.read_at(count, max(0, begin)), source.read_at(8, begin + count)
    if sealed[4:] != MARK:
        return None
    footer = source.read_at(length + 8, begin + count + 8)
    if unpack("<I", sealed[:4])[0] != crc32(footer, crc32(crcs)):
        raise ValueError("its footer fails its checksum")
    return unpack(f"<{metadata.num_row_groups}I", crcs)


def check(source: Any, metadata: Any, crcs: tuple[int, ...], groups: list[int]) -> None:
    """Raise ValueError unless some row groups of an open file are as they were written."""
    for group in groups:
        begin, length = _place(metadata.row_group(group))
        source.seek(begin)
        if _checksum(source.read_buffer(length)) != crcs[group]:
            raise ValueError(f"row group {group} fails its checksum")


def _checksum(content: Any) -> int:
    """The crc32 of the sums of blocks of 4 KiB, and of the rest.

    It is a tenth of the work of crc32 alone, and a flipped bit or a block in another's place
    changes it as surely.
    """
    words = np.frombuffer(content, np.uint64, len(content) // BLOCK * (BLOCK // 8))
    sums = np.add.reduce(words.reshape(-1, BLOCK // 8), axis=1)
    return crc32(content[words.nbytes :], crc32(sums))


def _place(group: Any) -> tuple[int, int]:
    """Where a row group begins, and how long it is [bytes]."""
    columns = [group.column(number) for number in range(group.num_columns)]
    return columns[0].dictionary_page_offset, sum(each.total_compressed_size for each in columns)
