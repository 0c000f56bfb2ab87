"""What an inlet hands on and the log keeps: messages as they came."""

from __future__ import annotations

import msgspec


class Messages(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Messages that were received together, raw.

    Attributes
    ----------
    received_at_ms : int
        When [ms since the epoch].
    topics : list of str
    payloads : list of bytes
        As long as `topics`, in the same order.
    """

    received_at_ms: int
    topics: list[str]
    payloads: list[bytes]
