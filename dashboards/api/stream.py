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
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Annotated, Final, NamedTuple

import msgspec
from fastapi import APIRouter, Header
from starlette.responses import Response, StreamingResponse
from typing_extensions import TypedDict

from alerts.alert import Alert
from dashboards.api import answers
from dashboards.api.answers import Time
from dashboards.api.bike_answers import Bike
from dashboards.api.health import PartState
from dashboards.api.problems import SCHEMAS
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.views import Views
from dashboards.sources import Sources

log = logging.getLogger(__name__)

PERIOD_S = 0.5
"""Between two looks at the state [s]."""

MAX_SHARE = 0.1
"""A very large fleet is looked at less often, so that looking takes at most this share."""

HEARTBEAT_S = 15.0
"""A silent stream says that it is alive this often [s], so that proxies and people know."""

RATE_OVER_S = 5.0
"""The rate of messages is the mean of this long [s]."""


LAST_EVENT: Final = "Last-Event-ID"

MOST_OVER: Final = 1_000
"""How many things that are no more are told of to those who come back."""


class Thing(NamedTuple):
    """What an event is about: the event's name, and the key of its subject."""

    event: str
    key: str


WHOLE: Final = Thing("whole", "")
"""The mark before the whole state."""

Look = Callable[[], Iterator[Mapping[Thing, object]]]
"""The state now, some of it at a time: for each thing its answer, equal when nothing about it has
changed."""


class Change(NamedTuple):
    """The newest answer about a thing, and the number of the change that made it so."""

    number: int
    answer: object


def frame(thing: Thing, answer: object, number: str) -> bytes:
    """An event on the wire; JSON has no raw newline, so one data line holds it."""
    said = thing.event.encode(), msgspec.json.encode(answer), number.encode()
    return b"event: %b\ndata: %b\nid: %b\n\n" % said


class Mailbox:
    """Frames that a listener has yet to read, the newest of each thing."""

    def __init__(self) -> None:
        self._frames: dict[Thing, bytes] = {}
        self.filled = asyncio.Event()

    def put(self, frames: Mapping[Thing, bytes]) -> None:
        """Add frames, which come last; an older one of the same thing is forgotten."""
        if frames:
            for thing in frames:
                self._frames.pop(thing, None)
            self._frames.update(frames)
            self.filled.set()

    def take(self) -> bytes:
        """All frames, one after the other, empty for none; the mailbox is empty afterwards."""
        frames, self._frames = self._frames, {}
        self.filled.clear()
        return b"".join(frames.values())


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

    def __init__(self, look: Look) -> None:
        self._look = look
        self._seen: dict[Thing, Change] = {}
        self._over: dict[Thing, Change] = {}  # what is no more, the newest of it
        self._forgotten = 0  # the number of the last change to what is in neither
        self._newest = object()  # the look that began last
        self._run_id = secrets.token_hex(4)
        self._number = 0
        self._mailboxes: set[Mailbox] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

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
        seen, there = self._seen, set[Thing]()
        for part in self._look():
            changed = {}
            for thing, answer in part.items():
                before = seen.get(thing)
                if before is None or (before.answer is not answer and before.answer != answer):
                    self._number += 1
                    self._over.pop(thing, None)
                    seen[thing] = Change(self._number, answer)
                    changed[thing] = self._frame(thing, seen[thing])
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

    def _frame(self, thing: Thing, change: Change) -> bytes:
        return frame(thing, change.answer, f"{self._run_id}-{change.number}")

    def _after(self, last_event: str | None) -> int | None:
        """The number of an event that this feed has sent; None when it cannot be gone on from."""
        run, _, number = (last_event or "").partition("-")
        known = run == self._run_id and number.isascii() and number.isdigit() and len(number) < 19
        return int(number) if known and int(number) >= self._forgotten else None

    def join(self, last_event: str | None = None) -> Mailbox:
        """A mailbox to be filled from now on.

        In it is what has changed since an event, or, if that is not known, the event `whole` and
        the whole state.
        """
        self.poll()
        mailbox = Mailbox()
        after = self._after(last_event)
        known = self._seen if after is None else self._over | self._seen
        if after is None:
            mailbox.put({WHOLE: b"event: whole\ndata: {}\n\n"})
        changes = [item for item in known.items() if item[1].number > (after or 0)]
        changes.sort(key=lambda item: item[1].number)
        mailbox.put({thing: self._frame(thing, change) for thing, change in changes})
        self._mailboxes.add(mailbox)
        return mailbox

    async def stream(self, last_event: str | None = None) -> AsyncIterator[bytes]:
        """The bytes of one listener's stream, until it goes or the feed is closed."""
        mailbox = self.join(last_event)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="feed")
        try:
            yield b"retry: 1000\n\n"
            while not self._closed:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await mailbox.filled.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                yield mailbox.take()
        finally:
            self._mailboxes.discard(mailbox)

    def close(self) -> None:
        """End all streams, so that a server which waits for its connections can stop."""
        self._closed = True
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
                for _ in self._polled():
                    took_s += time.monotonic() - began_s
                    await asyncio.sleep(0)
                    began_s = time.monotonic()
            except Exception:  # the outermost loop: without it listeners would go stale
                log.exception("the live feed could not read the state; trying again")


class Watch:
    """The state that listeners follow: bikes, coverage, open alerts, and the system's health."""

    def __init__(self, sources: Sources, times: Times, views: Views) -> None:
        self._sources = sources
        self._times = times
        self._views = views
        self._open: dict[str, tuple[Alert, object]] = {}  # with the answer about each
        self._received: deque[tuple[float, int]] = deque()

    def look(self) -> Iterator[dict[Thing, object]]:
        """Read the whole state, by thing; an alert is in it once more after it is over."""
        alive: Counter[str] = Counter()
        for bikes in self._views.bikes_in_parts():
            alive.update(bike["liveness"] for bike in bikes)
            yield {Thing("bike", f"{bike['vendor']}/{bike['bike_id']}"): bike for bike in bikes}
        yield {
            Thing("coverage", zone_id): self._views.coverage(status)
            for zone_id, status in self._sources.statuses().items()
        }
        yield self._alerts()
        version = self._sources.drawing.version
        began = self._times.write_or_none(max(self._sources.in_force().from_ms, 0))
        yield {
            Thing("zones", ""): {"version": version, "from": began},
            Thing("health", ""): self._health(alive.total(), alive["live"]),
        }

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

    def _health(self, bikes: int, live: int) -> Pulse:
        health = self._sources.health()
        now_ms = self._sources.now_ms()
        return {
            "at": self._times.write(now_ms),
            "now_ms": now_ms,
            "ready": health.ready,
            "parts": health.parts,  # type: ignore[typeddict-item]
            "bikes": bikes,
            "bikes_live": live,
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
        last_event: Annotated[str | None, Header(alias=LAST_EVENT)] = None,
    ) -> Response:
        """Server-sent events: `bike`, `coverage`, `alert`, `zones`, `health`, `whole`.

        The stream begins with `whole` and then the whole state (bikes, zones, open alerts), so
        forget what you have. A client that comes back and names the last event that it has (every
        EventSource does) gets what has changed since, without `whole`. Data are the items of
        /bikes, /coverage and /alerts; an alert comes once more when it is over. `zones` comes when
        zones were redrawn or others have come into force: load /zones again. A client that reads
        slowly gets the newest state of each thing and misses what was in between.
        """
        return EventStream(
            feed.stream(last_event),
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
