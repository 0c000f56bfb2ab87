"""The days before a simulation begins: a few that were ridden, and others made of them.

To ride a month takes as long as a month's decisions of every inspector. So `RIDDEN` days are
ridden, and each day of the past repeats one of them with the bikes in other places; some stay at
home, more of them at a weekend, and now and then nobody goes to one of the zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from bikes.simulator.plan import SimulationPlan
from bikes.simulator.simulation import SimulatedBike, assemble
from bikes.simulator.town import lay_streets
from bikes.telemetry import COLUMNS, TelemetryBatch
from words.times import DAY_MS

RIDDEN = 2
INTERVAL_S = 60.0
"""Time between two fixes of the past [s]."""

AT_HOME, AT_WEEKENDS = 0.12, 0.35
"""Share of the bikes that stay at home."""

LEFT_OUT = 0.25
"""Share of the days on which nobody goes to one of the zones."""


def past_days(plan: SimulationPlan, days: int) -> Iterator[TelemetryBatch]:
    """The fixes on duty of each of the days before the plan's, the oldest day first.

    The index of a bike is its position in the plan. The plan begins in the morning of a day.
    """
    ridden = replace(plan, interval_s=INTERVAL_S, neglected=None, delayed=None)
    bikes = assemble(ridden, lay_streets(ridden))
    templates = [
        [_ride(bike, n, plan.start_ms + (day + 1) * DAY_MS) for n, bike in enumerate(bikes)]
        for day in range(RIDDEN)
    ]
    rng = np.random.default_rng(plan.seed)
    stations = np.array(ridden.stations())
    begins = datetime.fromtimestamp(plan.start_ms / 1000, ZoneInfo(plan.timezone))
    for back in range(days, 0, -1):
        day = begins - timedelta(days=back)
        stays = rng.random(stations.size) < (AT_WEEKENDS if day.weekday() >= 5 else AT_HOME)
        if rng.random() < LEFT_OUT:
            stays |= stations == rng.integers(len(plan.zones))
        template = back % RIDDEN
        moved_ms = round(day.timestamp() * 1000) - plan.start_ms - template * DAY_MS
        of_day = TelemetryBatch.concat(
            [fixes for fixes, home in zip(templates[template], stays, strict=True) if not home]
        )
        yield replace(
            of_day,
            # Who rode there then is another one than today.
            bike=((of_day.bike + back) % stations.size).astype(np.int32),
            timestamp_ms=of_day.timestamp_ms + moved_ms,
        )


def _ride(bike: SimulatedBike, index: int, to_ms: int) -> TelemetryBatch:
    """What a bike's receiver says of the time up to an instant [ms], less where it is parked."""
    track = bike.rider.until(to_ms)
    fixes = bike.receiver.fix(track)
    columns = {name: getattr(fixes, name, None) for name in COLUMNS}
    columns |= {"bike": np.full(track.at_ms.size, index), "timestamp_ms": fixes.at_ms}
    all_day = TelemetryBatch(
        **{name: np.asarray(columns[name], dtype) for name, dtype in COLUMNS.items()}
    )
    return all_day.take(~track.parked)
