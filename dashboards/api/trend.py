"""The covered ratio of every zone's window so far, from one pass over the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dashboards.api import answers
from dashboards.api.times import Times
from dashboards.sources import Sources
from geofence.coverage import SLOT_MS, Rows, union_between
from geofence.progress import covered_by_slot


def trend_of(sources: Sources, times: Times, parts: Sequence[Rows], now_ms: int) -> answers.Trend:
    """The trend of all zones.

    Parameters
    ----------
    parts : sequence of Rows
        The ledger's, as taken on the event loop.
    now_ms : int
        When [ms].
    """
    zones, known_from_ms = sources.zones, sources.known_from_ms()
    plans = [sources.plan(zone.zone_id) for zone in zones.zones]
    windows = [plan.window_at(now_ms) or (0, 0) for plan in plans]
    from_ms, whole_ms = np.array(windows, np.int64).T
    to_ms = np.minimum(whole_ms, (now_ms // SLOT_MS + 1) * SLOT_MS)
    begun = from_ms > 0
    if begun.any():
        first_ms, end_ms = int(from_ms[begun].min()), int(to_ms[begun].max())
        rows = union_between(parts, first_ms, end_ms + SLOT_MS - 1)
    else:
        rows = Rows.empty()
    rows = rows.where(sources.atlas.layout.own(rows.cell, rows.last_ms, zones))
    covered = covered_by_slot(rows, zones, from_ms, to_ms)
    write = times.write_or_none
    return {
        "at": times.write(now_ms),
        "zones": [
            {
                "zone_id": zone.zone_id,
                "from": write(begin_ms),
                "to": write(end_ms),
                "step_s": SLOT_MS // 1000,
                "target": plan.policy_at(now_ms).target,
                "covered_ratio": _known(
                    (counts / total).round(4).tolist(), begin_ms // SLOT_MS, known_from_ms
                ),
            }
            for zone, plan, begin_ms, end_ms, counts, total in zip(
                zones.zones,
                plans,
                from_ms.tolist(),
                whole_ms.tolist(),
                covered,
                zones.cells_total.tolist(),
                strict=True,
            )
        ],
    }


def _known(ratios: list[float], first_slot: int, known_from_ms: int) -> list[float | None]:
    """None for the quarter hours that ended before the record begins."""
    unknown = min(max(known_from_ms // SLOT_MS - first_slot, 0), len(ratios))
    return [*[None] * unknown, *ratios[unknown:]]
