"""Server-sent events at /stream: what changed, to everybody who listens, at a bounded cost.

The state is looked at once a period for all listeners together, and each change is encoded
once. A listener has a mailbox that holds the newest frame per thing, so one that reads slowly
misses intermediate states and never the last one, and its mailbox never holds more frames than
there are things. A new listener first gets everything, after the event `whole`. One that comes
back names the last event that it has, and gets what has changed since; everything, when that is
not known any more. Events are numbered in the order of the changes, and sent in that order, so
that whatever a listener has last, it has all before it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import zlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
import numpy as np
from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse
from typing_extensions import TypedDict

from alerts.alert import Alert
from bikes.fleet import Liveness
from bikes.roster import BikeKey
from dashboards.api import answers
from dashboards.api.answers import Time
from dashboards.api.bike_answers import Bike
from dashboards.api.health import PartState
from dashboards.api.mailbox import Frame, Mailbox, Seen, Thing, frame
from dashboards.api.problems import SCHEMAS
from dashboards.api.routes import group, needs
from dashboards.api.sight import EVERYTHING, Herd, Sight
from dashboards.api.times import Times
from dashboards.api.views import Indices, Views
from dashboards.sources import Sources

log = logging.getLogger(__name__)

PERIOD_S = 0.5
"""Between two looks at the state [s]."""

MAX_SHARE = 0.1
"""A very large fleet is looked at less often, so that looking takes at most this share."""

HEARTBEAT_S = 15.0
"""A silent stream says that it is alive this often [s], so that proxies and people know."""

MOST_PER_S = 100_000
"""Bytes a second of a stream, on the whole: what changes more often is told less often."""

LONGEST_PAUSE_S = 2.5
"""The longest that a page waits for the next events [s]: one takes 5 s of silence for a loss."""

MOST_KEPT = 20_000
"""Frames of bikes that are kept for all listeners."""

ZONES_AT_ONCE = 250
"""Zones that are looked at without a pause."""

SAME_S = 10.0
"""A zone of which nothing goes on but the clock is told again after so long, on that clock [s]."""

RATE_OVER_S = 5.0
"""The rate of messages is the mean of this long [s]."""


LAST_EVENT: Final = "Last-Event-ID"

MOST_OVER: Final = 1_000
"""How many things that are no more are told of to those who come back."""


WHOLE: Final = Thing("whole", "")
"""The mark before the whole state."""

_BOX = r"^-?\d{1,3}(\.\d{1,15})?(,-?\d{1,3}(\.\d{1,15})?){3}$"

Look = Callable[[], Iterator[Mapping[Thing, object]]]
"""The state now, some of it at a time: for each thing its answer, equal when nothing about it has
changed."""


class Change(NamedTuple):
    """The newest answer about a thing, and the number of the change that made it so."""

    number: int
    answer: object


class Pulse(TypedDict):
    """How the system does: `now_ms` is its clock."""

    at: Time
    now_ms: int
    ready: bool
    parts: list[PartState]
    bikes: int
    bikes_live: int
    rate_per_s: float | None
    lag_s: float


ZonesChanged = TypedDict("ZonesChanged", {"version": str, "from": Time | None})
"""The zones in force are others: since when, and the version of all."""


DATA: Final[Mapping[str, type]] = {
    "bike": Bike,
    "coverage": answers.ZoneCoverage,
    "alert": answers.Alert,
    "zones": ZonesChanged,
    "health": Pulse,
    "view": Seen,
}
"""What the data of each event are."""

EVENT: Final = {
    "type": "object",
    "properties": {
        "event": {"enum": [*DATA, WHOLE.event]},
        "id": {"type": "string"},
        "data": {
            "contentMediaType": "application/json",
            "contentSchema": {
                "anyOf": [{"$ref": f"{SCHEMAS}{shape.__name__}"} for shape in DATA.values()]
            },
        },
    },
}


class EventStream(StreamingResponse):
    """Server-sent events, which nothing may keep or hold back."""

    media_type = "text/event-stream"


class Feed:
    """Looks for changes while somebody listens. All of it, `look` too, runs on the event loop."""

    def __init__(self, look: Look, herd: Herd, prepare: Callable[[], object] = bool) -> None:
        self._look = look
        self._prepare = prepare  # in a thread, before each look
        self._herd = herd
        self._bikes: dict[int, Frame] = {}  # the newest frames, by the bike's index
        self._seen: dict[Thing, Change] = {}
        self._over: dict[Thing, Change] = {}  # what is no more, the newest of it
        self._forgotten = 0  # the number of the last change to what is in neither
        self._newest = object()  # the look that began last
        self._run_id = secrets.token_hex(4)
        self._number = 0
        self._mailboxes: set[Mailbox] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    @property
    def listeners(self) -> int:
        """Streams that are open."""
        return len(self._mailboxes)

    def poll(self) -> int:
        """Look once, and put what changed into every mailbox; returns how many things did."""
        return sum(self._polled())

    def _polled(self) -> Iterator[int]:
        """As :meth:`poll`; between its parts the event loop may do something else.

        It ends early when another look has begun meanwhile, which sees more.
        """
        mine = self._newest = object()
        known, self._number = self._number, self._herd.look(self._number)
        yield self._number - known
        seen, there = self._seen, set[Thing]()
        for part in self._look():
            changed = {}
            for thing, answer in part.items():
                before = seen.get(thing)
                if before is None or (before.answer is not answer and before.answer != answer):
                    self._number += 1
                    self._over.pop(thing, None)
                    seen[thing] = Change(self._number, answer)
                    changed[thing] = self._framed(thing, seen[thing])
            there.update(part)
            for mailbox in self._mailboxes:
                mailbox.put(changed)
            yield len(changed)
            if mine is not self._newest:
                return
        for thing in seen.keys() - there if len(seen) > len(there) else ():
            self._over[thing] = seen.pop(thing)
        while len(self._over) > MOST_OVER:
            gone = self._over.pop(next(iter(self._over)))
            self._forgotten = max(self._forgotten, gone.number)

    def _framed(self, thing: Thing, change: Change) -> Frame:
        number = change.number
        return number, frame(thing, change.answer, f"{self._run_id}-{number}")

    def _of_bikes(self, rows: Indices) -> list[Frame]:
        """Frames of some bikes, which all listeners share."""
        known, number = self._bikes, self._herd.number
        if len(known) > MOST_KEPT:
            known.clear()
        new = [row for row in rows.tolist() if known.get(row, (0,))[0] != number[row]]
        for row, bike in zip(new, self._herd.bikes(np.array(new, np.int64)), strict=True):
            thing = Thing("bike", f"{bike['vendor']}/{bike['bike_id']}")
            known[row] = self._framed(thing, Change(int(number[row]), bike))
        return [known[row] for row in rows.tolist()]

    def _after(self, last_event: str | None) -> int | None:
        """The number of an event that this feed has sent; None when it cannot be gone on from."""
        run, _, number = (last_event or "").partition("-")
        known = run == self._run_id and number.isascii() and number.isdigit() and len(number) < 19
        return int(number) if known and int(number) >= self._forgotten else None

    def join(self, last_event: str | None = None, sight: Sight = EVERYTHING) -> Mailbox:
        """A mailbox to be filled from now on.

        In it is what has changed since an event, or, if that is not known, the event `whole` and
        the whole state. Who looks at some bikes only gets all of these.
        """
        if self._task is None or self._task.done():
            self.poll()  # otherwise the last look is hardly older than the next
        after = self._after(last_event)
        mailbox = Mailbox(sight, self._herd, self._of_bikes, after or 0)
        known = self._seen if after is None else self._over | self._seen
        changes = [item for item in known.items() if item[1].number > (after or 0)]
        mailbox.put({thing: self._framed(thing, change) for thing, change in changes})
        if after is None:
            mailbox.put({WHOLE: (-2, b"event: whole\ndata: {}\n\n")})
        self._mailboxes.add(mailbox)
        return mailbox

    async def stream(
        self, last_event: str | None = None, sight: Sight = EVERYTHING, *, packed: bool = False
    ) -> AsyncIterator[bytes]:
        """The bytes of one listener's stream, until it goes or the feed is closed."""
        mailbox = self.join(last_event, sight)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="feed")
        pack = zlib.compressobj(1, wbits=31) if packed else None

        def wire(piece: bytes) -> bytes:
            return piece if pack is None else pack.compress(piece) + pack.flush(zlib.Z_SYNC_FLUSH)

        try:
            yield wire(b"retry: 1000\n\n")
            while not self._closed.is_set():
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await mailbox.filled.wait()
                except TimeoutError:
                    yield wire(b": still here\n\n")
                    continue
                size = 0
                for piece in filter(None, mailbox.take()):
                    sent = wire(piece)
                    size += len(sent)
                    yield sent
                    await asyncio.sleep(0)
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(size / MOST_PER_S, LONGEST_PAUSE_S)):
                        await self._closed.wait()
        finally:
            self._mailboxes.discard(mailbox)

    def close(self) -> None:
        """End all streams, so that a server which waits for its connections can stop."""
        self._closed.set()
        for mailbox in self._mailboxes:
            mailbox.filled.set()
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        took_s = 0.0
        while self._mailboxes:
            await asyncio.sleep(max(PERIOD_S, took_s / MAX_SHARE))
            took_s, began_s = 0.0, time.monotonic()
            try:
                await asyncio.to_thread(self._prepare)
                for _ in self._polled():
                    took_s += time.monotonic() - began_s
                    await asyncio.sleep(0)
                    began_s = time.monotonic()
            except Exception:  # the outermost loop: without it listeners would go stale
                log.exception("the live feed could not read the state; trying again")


_CLOCK = ("idle_s", "due_in_s", "oldest_cell_age_s", "mean_cell_age_s")


class Told(NamedTuple):
    """A zone as it was told last: what stands, and what goes on with the clock [s]."""

    stands: tuple[object, ...]
    goes_on: list[float | None]
    answer: answers.ZoneCoverage

    def holds(self, stands: tuple[object, ...], goes_on: list[float | None]) -> bool:
        """Whether it need not be told again: the clock alone has gone on, under SAME_S [s]."""
        return stands == self.stands and all(
            a == b or (a is not None and b is not None and abs(a - b) < SAME_S)
            for a, b in zip(self.goes_on, goes_on, strict=True)
        )


class Watch:
    """The state that listeners follow beside bikes: coverage, open alerts, the system's health."""

    def __init__(self, sources: Sources, times: Times, views: Views, herd: Herd) -> None:
        self._sources = sources
        self._times = times
        self._views = views
        self._herd = herd
        self._open: dict[str, tuple[Alert, object]] = {}  # with the answer about each
        self._zones = sources.zones
        self._told: dict[str, Told] = {}
        self._received: deque[tuple[float, int]] = deque()

    def look(self) -> Iterator[dict[Thing, object]]:
        """Read the whole state, by thing; an alert is in it once more after it is over."""
        yield from self._coverage()
        yield self._alerts()
        version = self._sources.drawing.version
        began = self._times.write_or_none(max(self._sources.in_force().from_ms, 0))
        yield {
            Thing("zones", ""): {"version": version, "from": began},
            Thing("health", ""): self._health(self._herd.alive),
        }

    def _coverage(self) -> Iterator[dict[Thing, object]]:
        """Zones, some at a time, each as it was told as long as only the clock goes on."""
        statuses, zones = list(self._sources.statuses().items()), self._sources.zones
        presence, before = self._views.presence.now(), self._told
        if zones is not self._zones:
            self._zones, before = zones, {}
        self._told = {}
        for first in range(0, len(statuses), ZONES_AT_ONCE):
            some = statuses[first : first + ZONES_AT_ONCE]
            for zone_id, status in some:
                present = presence[zone_id]
                visit = present.last_visit_by
                stands = (
                    msgspec.structs.replace(status, **dict.fromkeys(_CLOCK)),
                    present.bikes_inside,
                    visit and visit.bike,
                )
                goes_on = [*(getattr(status, name) for name in _CLOCK)]
                goes_on.append(visit and visit.at_ms / 1000)
                was = before.get(zone_id)
                if was is None or not was.holds(stands, goes_on):
                    was = Told(stands, goes_on, self._views.coverage(status))
                self._told[zone_id] = was
            yield {Thing("coverage", zone_id): self._told[zone_id].answer for zone_id, _ in some}

    def _alerts(self) -> dict[Thing, object]:
        before = self._open
        self._open = {
            alert.alert_id: was
            if (was := before.get(alert.alert_id)) is not None and was[0] is alert
            else (alert, self._views.alert(alert))
            for alert in self._sources.book.current()
        }
        over = {
            alert_id: self._views.alert(self._sources.book.get(alert_id))
            for alert_id in before.keys() - self._open.keys()
        }
        current = {alert_id: answer for alert_id, (_, answer) in self._open.items()}
        return {Thing("alert", alert_id): answer for alert_id, answer in (over | current).items()}

    def _health(self, alive: Counter[Liveness]) -> Pulse:
        health = self._sources.health()
        now_ms = self._sources.now_ms()
        return {
            "at": self._times.write(now_ms),
            "now_ms": now_ms,
            "ready": health.ready,
            "parts": health.parts,  # type: ignore[typeddict-item]
            "bikes": alive.total(),
            "bikes_live": alive["live"],
            "rate_per_s": self._rate(health.received),
            "lag_s": health.lag_s,
        }

    def _rate(self, received: int) -> float | None:
        """Items a second, by the wall clock: what the machine does, not what time it shows."""
        elapsed_s = time.monotonic()
        self._received.append((elapsed_s, received))
        while elapsed_s - self._received[0][0] > RATE_OVER_S:
            self._received.popleft()
        first_s, first = self._received[0]
        if elapsed_s - first_s < 0.5:
            return None
        return round((received - first) / (elapsed_s - first_s), 1)


def add(api: APIRouter, feed: Feed) -> None:
    """Add the route /stream."""
    routes = group(api, needs("viewer"), tags=["stream"])

    @routes.get(
        "/stream",
        response_class=EventStream,
        responses={200: {"content": {EventStream.media_type: {"itemSchema": EVENT}}}},
    )
    async def follow_stream(
        accepted: Annotated[str, Header(alias="Accept-Encoding", include_in_schema=False)] = "",
        had: Annotated[str | None, Header(alias=LAST_EVENT)] = None,
        last_event: str | None = None,
        bbox: Annotated[str | None, Query(pattern=_BOX)] = None,
        zone: str | None = None,
        bike: str | None = None,
        bikes: Literal["all", "alerted"] = "all",
    ) -> Response:
        """Server-sent events: `bike`, `coverage`, `alert`, `zones`, `health`, `whole`, `view`.

        The stream begins with `whole` and then the whole state (bikes, zones, open alerts), so
        forget what you have. A client that comes back and names the last event that it has (every
        EventSource does) gets what has changed since, without `whole`. Data are the items of
        /bikes, /coverage and /alerts; an alert comes once more when it is over. `zones` comes when
        zones were redrawn or others have come into force: load /zones again. A client that reads
        slowly gets the newest state of each thing and misses what was in between.

        Who asks for some bikes gets those in the box, the zone or of the name, and all with an
        open alert; one that leaves is told once more. They come after `view`, which says how many
        there are: forget the bikes that you have. Of more than 2,000 every second is
        told, or fourth, and so on. On the whole a stream sends at most 100 kB a second.
        """
        sight = Sight(
            box=None if bbox is None else tuple(map(float, bbox.split(","))),
            zone_id=zone,
            bike=None if bike is None else BikeKey(*bike.partition("/")[::2]),
            alerted=bikes == "alerted",
        )
        packed = "gzip" in accepted
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"} if packed else {}
        return EventStream(feed.stream(had or last_event, sight, packed=packed), headers=headers)
