"""The newest fix, status and state of every bike, and its liveness.

| liveness | when |
| --- | --- |
| offline | the bike, or its last will, has said that it is disconnected, and no fix is newer |
| live | the newest fix is at most STALE_AFTER_S old |
| stale | it is older, but the bike has been heard within SILENT_AFTER_S |
| silent | nothing has been heard of the bike for longer, or ever |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from bikes.formats.mds import VehicleState
from bikes.roster import Roster
from bikes.telemetry import COLUMNS, Event, Stated, Status, TelemetryBatch

STALE_AFTER_S, SILENT_AFTER_S = 300.0, 3600.0
"""The limits of the table above [s], the same in the API, the console and Grafana."""

Liveness = Literal["live", "stale", "silent", "offline"]
"""Whether a bike is alive; see the table above."""

LIVENESS: tuple[Liveness, ...] = get_args(Liveness)

VEHICLE_STATES: tuple[VehicleState, ...] = get_args(VehicleState)

NEVER = int(np.iinfo(np.int64).min)
"""Stands in the columns for a time that was never said."""

_STATE_NUMBERS: dict[str, int] = {name: number for number, name in enumerate(VEHICLE_STATES)}
_UNKNOWN = -1

_WORDS: dict[str, tuple[object, ...]] = {
    "online": (False, True, None),  # what is unknown is -1, and so the last
    "vehicle_state": (*VEHICLE_STATES, None),
}
"""What the numbers of a column mean."""

_OF_FIX = ("lat_deg", "lng_deg", "accuracy_m", "speed_mps", "heading_deg", "altitude_m")
"""What a state says of the newest fix, beside its time."""

_SAID: dict[str, tuple[type[np.generic], object]] = {
    "heard_at_ms": (np.int64, NEVER),
    "online": (np.int8, _UNKNOWN),
    "status_at_ms": (np.int64, NEVER),
    "vehicle_state": (np.int8, _UNKNOWN),
    "vehicle_state_at_ms": (np.int64, NEVER),
}
"""Columns beside those of the fixes: dtype, and the value before anything was said."""


class BikeState(msgspec.Struct, frozen=True, gc=False):
    """The newest of one bike; None is what it never said."""

    bike: int  # index into the roster
    last_ms: int | None = None  # device time of the newest fix [ms]
    # Its position, WGS-84 [degrees].
    lat_deg: Stated = None
    lng_deg: Stated = None
    # What else the newest fix said; never carried over from an older one.
    accuracy_m: Stated = None
    speed_mps: Stated = None
    heading_deg: Stated = None
    altitude_m: Stated = None
    battery_percent: Stated = None  # the newest that was said, also by an older fix [%]
    battery_at_ms: int | None = None  # when it was said [ms]
    online: bool | None = None  # the last connection status
    status_at_ms: int | None = None  # when it was said [ms]
    vehicle_state: str | None = None  # as MDS names it
    vehicle_state_at_ms: int | None = None  # since when [ms]
    heard_at_ms: int | None = None  # when anything of the bike was last received, by our clock [ms]


class FleetState:
    """The newest of every bike, as columns by the roster's index; grows with it.

    It is for one thread; others read a :meth:`view`.

    The newest fix is a function of the set of fixes: an older one that comes late never
    replaces a newer one (OwnTracks #313), and of two with one timestamp the one stays that
    `TelemetryBatch.distinct` prefers. Statuses count in the order of their arrival, because a
    last will carries the time at which its connection began.

    The roster may grow at any time.
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._fixes = _blank(0)
        # The newest fix with a battery level: many devices do not say it every time.
        self._charges = _blank(0)
        self._said = {name: np.empty(0, dtype) for name, (dtype, _) in _SAID.items()}
        self._view: FleetState | None = None

    def __len__(self) -> int:
        """Bikes that have a row: any later one of the roster was never heard."""
        return len(self._fixes)

    def view(self) -> FleetState:
        """A copy that never changes, for any thread; what comes later is not in it."""
        if self._view is None:
            self._view = FleetState(self._roster)
            self._view._fixes, self._view._charges = _frozen(self._fixes), _frozen(self._charges)
            self._view._said = {name: _copy(column) for name, column in self._said.items()}
        return self._view

    def of(self, bike: int) -> BikeState:
        """The newest of one bike, by its index; empty for one that was never heard."""
        if bike >= len(self):
            return BikeState(bike)
        said = {name: column[bike].item() for name, column in self._columns().items()}
        for name, value in said.items():
            words = _WORDS.get(name)
            said[name] = words[value] if words else _known(value)
        return BikeState(**said)

    def some(self, bikes: NDArray[np.integer[Any]]) -> FleetState:
        """The rows of some bikes, of shape (n,), in their order; blank for one never heard."""
        known = bikes < len(self)
        rows, part = bikes[known], FleetState(self._roster)
        part._grow(len(bikes), exactly=True)
        for mine, theirs in ((self._fixes, part._fixes), (self._charges, part._charges)):
            for name in COLUMNS:
                getattr(theirs, name)[known] = getattr(mine, name)[rows]
            theirs.bike[:] = bikes
        for name, column in self._said.items():
            part._said[name][known] = column[rows]
        return part

    def states(self) -> list[BikeState]:
        """The newest of every bike, in the order of the rows."""
        columns = self._columns()
        said = {
            name: np.array(_WORDS[name])[column].tolist()
            if name in _WORDS
            else list(map(_known, column.tolist()))
            for name, column in columns.items()
        }
        return list(map(BikeState, *(said[name] for name in BikeState.__struct_fields__)))

    def _columns(self) -> dict[str, NDArray[Any]]:
        """The columns that a state is read from, by its fields."""
        fix, charge = self._fixes, self._charges
        return {
            "bike": fix.bike,
            "last_ms": fix.timestamp_ms,
            **{name: getattr(fix, name) for name in _OF_FIX},
            "battery_percent": charge.battery_percent,
            "battery_at_ms": charge.timestamp_ms,
            **self._said,
        }

    def liveness(
        self, now_ms: int, *, stale_after_s: float = STALE_AFTER_S
    ) -> NDArray[np.integer[Any]]:
        """Whether each bike is alive at `now_ms`, as its place in :data:`LIVENESS`; shape (bikes,).

        An age equal to a limit is still within it. A bike that catches up on what it stored is
        heard, but its position is old: it is stale, not live.
        """
        fix_ms, said = self._fixes.timestamp_ms, self._said
        newest_ms = np.maximum(np.maximum(fix_ms, said["status_at_ms"]), said["heard_at_ms"])
        return np.select(
            [
                (said["online"] == 0) & (fix_ms <= said["status_at_ms"]),
                fix_ms >= now_ms - stale_after_s * 1000,
                newest_ms >= now_ms - SILENT_AFTER_S * 1000,
            ],
            [LIVENESS.index("offline"), LIVENESS.index("live"), LIVENESS.index("stale")],
            LIVENESS.index("silent"),
        )

    def differs(self, other: FleetState, names: Iterable[str]) -> NDArray[np.bool_]:
        """Which bikes, shape (bikes,), are not as in another state, which has no more of them.

        `names` are the fields of a state that are compared, bit by bit: NaN is like NaN.
        """
        found = np.zeros(len(self), np.bool_)
        mine, theirs = self._columns(), other._columns()
        missing = other.some(np.arange(len(other), len(self)))._columns()
        for name in names:
            bits = np.dtype(f"u{mine[name].itemsize}")
            before = np.append(theirs[name], missing[name])
            found |= mine[name].view(bits) != before.view(bits)
        return found

    def position(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """WGS-84 lat and lng [degrees] of every bike, shape (bikes,); NaN for one without a fix."""
        return self._fixes.lat_deg, self._fixes.lng_deg

    def fixes(self) -> TelemetryBatch:
        """The newest fix of every bike that has sent any, by index."""
        return self._fixes.take(self._fixes.timestamp_ms != NEVER)

    def live(self, now_ms: int, *, stale_after_s: float = STALE_AFTER_S) -> TelemetryBatch:
        """The newest fixes of the bikes that are live, by index."""
        alive = self.liveness(now_ms, stale_after_s=stale_after_s)
        return self._fixes.take(alive == LIVENESS.index("live"))

    def update(self, batch: TelemetryBatch, *, heard_at_ms: int | None = None) -> None:
        """Take in telemetry, in any order.

        Fixes that are read back from storage have no time of receipt, `heard_at_ms` [ms].
        """
        if not len(batch):
            return
        self._view = None
        self._grow(int(batch.bike.max()) + 1)
        _keep_newest(self._fixes, batch)
        _keep_newest(self._charges, batch.take(~np.isnan(batch.battery_percent)))
        if heard_at_ms is not None:
            self._hear(batch.bike, heard_at_ms)

    def update_status(self, statuses: Iterable[Status], *, heard_at_ms: int | None = None) -> None:
        """Take in connection statuses, in the order in which they were received."""
        for status in statuses:
            self._view = None
            self._grow(status.bike + 1)
            self._said["online"][status.bike] = status.online
            self._said["status_at_ms"][status.bike] = status.timestamp_ms
            # A last will is said by the broker; the bike itself is not heard.
            if heard_at_ms is not None and status.online:
                self._hear(status.bike, heard_at_ms)

    def update_events(self, events: Iterable[Event], *, heard_at_ms: int | None = None) -> None:
        """Take in changes of state, in any order; the newest one counts."""
        for event in events:
            self._view = None
            self._grow(event.bike + 1)
            since, states = self._said["vehicle_state_at_ms"], self._said["vehicle_state"]
            state = _STATE_NUMBERS[event.vehicle_state]
            # Of two states of one instant the one later in MDS's list, whichever came first.
            if (event.timestamp_ms, state) > (since[event.bike], states[event.bike]):
                since[event.bike], states[event.bike] = event.timestamp_ms, state
            if heard_at_ms is not None:
                self._hear(event.bike, heard_at_ms)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copies of the columns for a snapshot, by name; bikes by their index of today."""
        columns = {
            **{f"fix_{name}": getattr(self._fixes, name) for name in COLUMNS},
            **{f"charge_{name}": getattr(self._charges, name) for name in COLUMNS},
            **self._said,
        }
        return {name: column.copy() for name, column in columns.items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]], bikes: NDArray[np.int32]) -> None:
        """Go on from a snapshot whose bike i is `bikes[i]` now; replaces what is known of them.

        There are at least as many `bikes`, of shape (n,), as the snapshot has; `state` is what
        :meth:`state` gave.
        """
        self._view = None
        known = bikes[: state["online"].size]
        self._grow(int(known.max(initial=-1)) + 1)
        for name in COLUMNS.keys() - {"bike"}:
            getattr(self._fixes, name)[known] = state[f"fix_{name}"]
            getattr(self._charges, name)[known] = state[f"charge_{name}"]
        for name, column in self._said.items():
            column[known] = state[name]

    def _hear(self, bike: int | NDArray[np.int32], heard_at_ms: int) -> None:
        column = self._said["heard_at_ms"]
        column[bike] = np.maximum(column[bike], heard_at_ms)

    def _grow(self, size: int, *, exactly: bool = False) -> None:
        known = len(self._fixes)
        if size <= known:
            return
        missing = (size if exactly else max(size, len(self._roster))) - known
        blank = _blank(missing, first=known)
        self._fixes = TelemetryBatch.concat([self._fixes, blank])
        self._charges = TelemetryBatch.concat([self._charges, blank])
        for name, (dtype, unsaid) in _SAID.items():
            more = np.full(missing, unsaid, dtype)
            self._said[name] = np.concatenate([self._said[name], more])


def _blank(size: int, first: int = 0) -> TelemetryBatch:
    """A row for each bike from `first` on that has sent nothing."""
    unknown = {
        name: np.full(size, np.nan, dtype) for name, dtype in COLUMNS.items() if dtype.kind == "f"
    }
    return TelemetryBatch(
        bike=np.arange(first, first + size, dtype=np.int32),
        timestamp_ms=np.full(size, NEVER),
        **unknown,
    )


def _frozen(rows: TelemetryBatch) -> TelemetryBatch:
    return TelemetryBatch(**{name: _copy(getattr(rows, name)) for name in COLUMNS})


def _copy(column: NDArray[Any]) -> NDArray[Any]:
    copy = column.copy()
    copy.flags.writeable = False
    return copy


def _keep_newest(rows: TelemetryBatch, batch: TelemetryBatch) -> None:
    """Put the newest fix of each bike into its row, unless what is there is newer."""
    fixes = batch.take(batch.timestamp_ms >= rows.timestamp_ms[batch.bike])
    if not len(fixes):
        return
    touched = np.zeros(len(rows), dtype=bool)
    touched[fixes.bike] = True
    # Together with what is there, because of two fixes with one timestamp `distinct` chooses.
    fixes = TelemetryBatch.concat([rows.take(touched), fixes]).distinct()
    last = np.append(fixes.bike[1:] != fixes.bike[:-1], True)
    newest = fixes.take(last)
    for name in COLUMNS:
        getattr(rows, name)[newest.bike] = getattr(newest, name)


def _known(value: float) -> float | None:
    """A value of a column; None for what was never said."""
    return None if value != value or value == NEVER else value
