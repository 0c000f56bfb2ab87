"""The lines of a recording, and the items of one that is a JSON value: texts with their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO, NamedTuple

import msgspec

from bikes.errors import DecodeError
from bikes.formats.reading import explain, without_nan

MAX_LINE_BYTES = 262_144
"""A longer line is no telemetry."""

MAX_VALUE_BYTES = 64 << 20
"""A JSON value that is longer is not read, as it has to be read as a whole."""

_BOM = b"\xef\xbb\xbf"


class Lines(NamedTuple):
    """Consecutive lines, without their ends."""

    numbers: Sequence[int]  # their numbers, counted from 1
    lines: list[bytes]
    read_bytes: int  # bytes of the stream that were read for them


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
        yield Lines(range(first, first + len(lines)), lines, len(block))
        first += len(lines)
    if rest:
        yield Lines([first], [rest.removeprefix(_BOM) if first == 1 else rest], 0)


def one_value(
    stream: IO[bytes], items: Callable[[bytes], Sequence[msgspec.Raw] | None]
) -> list[Lines] | None:
    """The `items` of a file that is one JSON value; None when each line is a value.

    Raises DecodeError when it is cut off or too long.
    """
    read = iter(partial(stream.readline, MAX_LINE_BYTES), b"")
    first = next((line for line in read if line.strip()), b"").removeprefix(_BOM)
    stream.seek(0)
    try:
        msgspec.json.decode(first, type=msgspec.Raw)
        goes_on, one = False, items(first) is not None
    except (ValueError, RecursionError) as exc:
        goes_on = one = bool(first) and "truncated" in str(exc)
    if not one:
        return None
    text = without_nan(stream.read(MAX_VALUE_BYTES + 1).removeprefix(_BOM))
    size = stream.tell()
    stream.seek(0)
    if size > MAX_VALUE_BYTES and goes_on:
        detail = f"one JSON value of over {MAX_VALUE_BYTES} bytes; write a fix on each line"
        raise DecodeError("too_large", detail)
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError) as exc:
        # An array on each line: what follows the first is no fault.
        if not goes_on or ("trailing" in str(exc) and not first.endswith(b"\n")):
            return None
        raise explain(exc, text) from exc
    found = items(text)
    texts, numbers, at, number = list(map(bytes, found or ())), [], 0, 1
    for each in texts:
        begins = text.index(each, at)
        number += text.count(b"\n", at, begins)
        numbers.append(number)
        at = begins + 1
    return [Lines([1], [text], size) if found is None else Lines(numbers, texts, size)]
