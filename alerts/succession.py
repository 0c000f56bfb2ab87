"""What holds for a zone whose policy changes with its versions, one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from alerts.policy import Policy

Segments = Sequence[tuple[int, Policy]]
"""From when on each policy is in force [ms], ascending; the first holds before that as well."""

Versions = Sequence[tuple[int, str | None]]
"""From when on a zone has each policy [ms], ascending; None while there is no such zone."""

GONE = "no such zone"
"""Why nothing is asked of a zone that is not there."""


def succession(parts: Sequence[tuple[int, Segments | None]]) -> list[tuple[int, Policy]]:
    """The segments of a zone through all its versions.

    Parameters
    ----------
    parts : sequence of (int, segments or None)
        From when on [ms], ascending, what holds by each version with its campaigns; the first
        holds before that as well. None while there is no such zone: then there is no duty.
    """
    there = [segments for _, segments in parts if segments is not None]
    found: list[tuple[int, Policy]] = []
    for index, (from_ms, own) in enumerate(parts):
        if own is None:
            last = found[-1][1] if found else there[0][0][1]
            found.append((from_ms, replace(last, paused=GONE)))
            continue
        end_ms = parts[index + 1][0] if index + 1 < len(parts) else None
        if not found:
            found += [(at_ms, policy) for at_ms, policy in own if end_ms is None or at_ms < end_ms]
            continue
        begun = max(0, bisect_right([at_ms for at_ms, _ in own], from_ms) - 1)
        found.append((from_ms, own[begun][1]))
        found += [
            (at_ms, policy)
            for at_ms, policy in own[begun + 1 :]
            if end_ms is None or at_ms < end_ms
        ]
    return found
