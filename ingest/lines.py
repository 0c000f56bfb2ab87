"""Whole lines out of a stream that is too large to hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple

_BOM = b"\xef\xbb\xbf"


class Lines(NamedTuple):
    """Consecutive lines, without their ends.

    Attributes
    ----------
    first : int
        Number of the first one, counted from 1.
    lines : list of bytes
    read_bytes : int
        What was read of the stream to get them.
    """

    first: int
    lines: list[bytes]
    read_bytes: int


def whole_lines(stream: IO[bytes], block_bytes: int, max_line_bytes: int) -> Iterator[Lines]:
    """The lines of a stream, as many at a time as end in a block.

    A line that is longer than `max_line_bytes` is cut, to one byte more than that if it spans
    blocks, so that its reader sees that it is too long and the memory for it is bounded. A
    byte order mark is left out, as it is of files, not of lines.
    """
    first, rest = 1, b""
    while block := stream.read(block_bytes):
        lines = block.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()[: max_line_bytes + 1]
        if lines and first == 1:
            lines[0] = lines[0].removeprefix(_BOM)
        yield Lines(first, lines, len(block))
        first += len(lines)
    if rest:
        yield Lines(first, [rest.removeprefix(_BOM) if first == 1 else rest], 0)
