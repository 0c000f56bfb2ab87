"""Routes about vendors: what comes from each and how, the bikes it lacks, and accepting them.

A payload may hold anything, so those who only look on do not see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Literal, NotRequired

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from typing_extensions import TypedDict

from bikes.fleet import NEVER
from bikes.roster import BikeKey
from bikes.topics import BIKE_FORM, is_bike
from dashboards.api import caller
from dashboards.api.answers import Answer, Time
from dashboards.api.lists import Asked
from dashboards.api.problems import PROBLEMS, ProblemError, unknown
from dashboards.api.routes import needs
from dashboards.api.times import Times
from dashboards.sources import Sources
from files.secret import harmless
from ingest.accounts import Account
from ingest.errors import BrokerUnavailable
from ingest.rejects import Reject

RATE_S = 300
"""The rate of a vendor is the mean of about so long [s]."""

HEARD_S = 600
"""Bikes heard within this time say how late messages are [s]."""

OFF_S = 30.0
"""The clock of a bike this far from those of the vendor's others is off [s]."""

LISTEN_S = 8.0
MOST = 50
"""Most bikes of a list in an answer."""


State = Literal["waiting", "refused", "sending"]


class LastRefusal(TypedDict):
    """A message that was not accepted, to show: control characters of its payload are written out.

    `payload` has at most the first 512 of `payload_bytes`; null for viewers.
    """

    at: Time
    topic: str
    bike_id: str
    detail: str
    payload: str | None
    payload_bytes: int


class Refusals(TypedDict):
    """Items that were refused for a reason since the start, and the last one that is kept."""

    reason: str
    items: int
    last: LastRefusal | None


class UnknownBikeSeen(TypedDict):
    """A bike that is on no list; one with `acceptable` can be put on it."""

    bike_id: str
    items: int
    last: Time
    acceptable: bool


class BikeClock(TypedDict):
    """How long after its own time the newest fix of a bike came in [s]; negative: it is ahead."""

    bike_id: str
    offset_s: float


class FirstMessage(TypedDict):
    """What a vendor that was never heard may send, and the command that does."""

    topic: str
    payload: str
    command: str


class Vendor(TypedDict):
    """What comes from a vendor.

    `state` is `waiting` while nothing has come, `refused` while all was refused, then `sending`;
    until then `first_message` is one that is accepted. `rate_per_s` is the mean of five minutes,
    `delay_s` the median of its bikes from the time of a fix to its arrival. `clocks` are the bikes
    that differ most from it. `accepted` were put on the list here.
    """

    vendor: str
    state: State
    format: str
    datum: str
    topics: list[str]
    listed: bool
    bikes: int
    received: int
    stored: int
    rejected: int
    duplicates: int
    rate_per_s: float
    delay_s: float | None
    clocks: list[BikeClock]
    refusals: list[Refusals]
    notes: dict[str, int]
    unknown_bikes: list[UnknownBikeSeen]
    accepted: list[str]
    first_message: NotRequired[FirstMessage]


class Vendors(TypedDict):
    """All vendors of the configuration, by name; `broker` is why none can be heard, or empty."""

    at: Time
    broker: str
    vendors: list[Vendor]


class StrayTopic(TypedDict):
    """A topic below a vendor's prefix that nobody reads."""

    topic: str
    messages: int
    payload: str
    payload_bytes: int


class StrayTopics(TypedDict):
    """What was heard below the prefixes of a vendor within `listened_s` [s]."""

    prefixes: list[str]
    listened_s: float
    topics: list[StrayTopic]


class NewBike(BaseModel):
    """A bike to put on a vendor's list."""

    model_config = ConfigDict(extra="forbid")

    bike_id: Annotated[str, Field(max_length=200)]


def router(sources: Sources, times: Times) -> APIRouter:
    """The routes under /vendors."""
    routes = APIRouter(tags=["vendors"], dependencies=[needs("viewer")])
    desk, listening = sources.vendors, asyncio.Lock()

    def known(vendor: str) -> None:
        if vendor not in desk.formats():
            raise unknown("vendor", vendor, desk.formats())

    def shown(reject: Reject, may_read: bool) -> LastRefusal:
        payload = harmless(reject.payload, indent="") if may_read else None
        return times.answer(
            LastRefusal, reject, at=times.write(reject.received_at_ms), payload=payload
        )

    def refusals(vendor: str, may_read: bool) -> list[Refusals]:
        last: dict[str, Reject] = {}
        for _, reject in sources.rejects.last():
            if reject.vendor == vendor:
                last.setdefault(reject.reason, reject)
        counts = {why: n for (name, why), n in sources.rejects.counts.items() if name == vendor}
        return [
            {"reason": why, "items": n, "last": shown(last[why], may_read) if why in last else None}
            for why, n in sorted(counts.items(), key=lambda each: -each[1])
        ]

    def unknown_bikes(vendor: str) -> Iterator[UnknownBikeSeen]:
        listed = sources.roster.lists(vendor)
        for key, seen in reversed(sources.rejects.unknown.items()):
            if key.vendor == vendor and (listed is None or key.bike_id not in listed):
                yield {
                    "bike_id": harmless(key.bike_id, indent="")[:100],
                    "items": seen.items,
                    "last": times.write(seen.last_ms),
                    "acceptable": listed is not None and is_bike(key.bike_id),
                }

    def offsets() -> dict[str, list[tuple[str, float]]]:
        """How late the newest fix of each bike that was heard lately came in [s], by vendor."""
        state = sources.view().fleet.state()
        fix_ms, heard_ms = (
            state[name].astype(np.int64) for name in ("fix_timestamp_ms", "heard_at_ms")
        )
        lately = (heard_ms > sources.now_ms() - HEARD_S * 1000) & (fix_ms > NEVER)
        found: dict[str, list[tuple[str, float]]] = {}
        for index in np.flatnonzero(lately).tolist():
            key = sources.roster.key(index)
            late_s = round(float(heard_ms[index] - fix_ms[index]) / 1000, 1)
            found.setdefault(key.vendor, []).append((key.bike_id, late_s))
        return found

    def listing(request: Request) -> list[Vendor]:
        now_ms, accounts, late = sources.now_ms(), sources.view().accounts, offsets()
        since_ms = (now_ms // 60_000) * 60_000 - RATE_S * 1000
        recent = desk.counts(since_ms)
        may_read = caller.may_act(request)
        found: list[Vendor] = []
        for name, vendor in sorted(desk.formats().items()):
            account = accounts.get(name, Account())
            delays = late.get(name, [])
            delay_s = float(np.median([each for _, each in delays])) if delays else None
            off = sorted(
                ((bike, each) for bike, each in delays if abs(each - (delay_s or 0)) > OFF_S),
                key=lambda each: -abs(each[1] - (delay_s or 0)),
            )
            heard: State = "refused" if account.received else "waiting"
            answer: Vendor = {
                "vendor": name,
                "state": "sending" if account.accepted else heard,
                "format": vendor.format.name,
                "datum": vendor.datum,
                "topics": [each.pattern for each in vendor.topics],
                "listed": sources.roster.lists(name) is not None,
                "bikes": sources.roster.counts[name],
                "received": account.received,
                "stored": account.stored,
                "rejected": account.rejected,
                "duplicates": account.duplicate,
                "rate_per_s": round(recent[name].received / ((now_ms - since_ms) / 1000), 3),
                "delay_s": delay_s,
                "clocks": [{"bike_id": bike, "offset_s": each} for bike, each in off[:MOST]],
                "refusals": refusals(name, may_read),
                "notes": {f: n for (of, f), n in sources.rejects.notes.items() if of == name},
                "unknown_bikes": list(unknown_bikes(name))[:MOST],
                "accepted": [key.bike_id for key in desk.accepted if key.vendor == name],
            }
            if not account.accepted and (first := desk.first_message(name)):
                answer["first_message"] = times.answer(FirstMessage, first)
            found.append(answer)
        return found

    def answer_of(request: Request, vendor: str, status: int = 200) -> Response:
        found = next(each for each in listing(request) if each["vendor"] == vendor)
        return Answer(found, status_code=status)

    @routes.get("/vendors", response_model=Vendors)
    async def list_vendors(request: Request, asked: Asked) -> Response:
        """What comes from each vendor, what is refused and why, and which bikes it lacks."""
        inlet = next(part for part in sources.health().parts if part.name == "inlet")
        found = {
            "at": times.write(sources.now_ms()),
            "broker": "" if inlet.ok else inlet.reason,
            "vendors": listing(request),
        }
        return asked.answer(found, "vendors", Vendor)

    @routes.post(
        "/vendors/{vendor}/bikes",
        dependencies=[needs("admin")],
        status_code=201,
        response_model=Vendor,
        responses={409: PROBLEMS[409]},
    )
    async def accept_bike(request: Request, vendor: str, body: NewBike) -> Response:
        """Put a bike on the vendor's list, as if it stood in the configuration, from now on.

        409 `any_bike` for a vendor that has no list, `already_listed`, `list_full`. What was
        refused before stays refused.
        """
        known(vendor)
        if not is_bike(body.bike_id):
            detail = f"{body.bike_id!r} cannot be the id of a bike: use {BIKE_FORM}"
            raise ProblemError(422, "invalid_bike_id", detail)
        listed = sources.roster.lists(vendor)
        if listed is None:
            detail = f'{vendor} has bikes = "any": every bike is accepted already'
            raise ProblemError(409, "any_bike", detail)
        if body.bike_id in listed:
            raise ProblemError(409, "already_listed", f"{body.bike_id} is on the list of {vendor}")
        if len(listed) >= desk.formats()[vendor].limits.max_bikes:
            raise ProblemError(409, "list_full", f"{vendor} has max_bikes on its list already")
        await asyncio.to_thread(desk.accept, BikeKey(vendor, body.bike_id))
        caller.add_to_record(request, bike_id=body.bike_id)
        return answer_of(request, vendor, 201)

    @routes.delete(
        "/vendors/{vendor}/bikes/{bike_id}",
        dependencies=[needs("admin")],
        response_model=Vendor,
        responses={409: PROBLEMS[409]},
    )
    async def strike_bike(request: Request, vendor: str, bike_id: str) -> Response:
        """Take back that a bike was accepted: what it sends from now on is refused.

        409 `configured` when it was not accepted here but stands in the configuration.
        """
        known(vendor)
        key = BikeKey(vendor, bike_id)
        if key not in desk.accepted:
            if bike_id in (sources.roster.lists(vendor) or ()):
                detail = (
                    f"{bike_id} is in the configuration: take it out of [vendors.{vendor}] bikes"
                )
                raise ProblemError(409, "configured", detail)
            raise unknown("bike", bike_id, [each.bike_id for each in desk.accepted])
        await asyncio.to_thread(desk.strike, key)
        return answer_of(request, vendor)

    @routes.post(
        "/vendors/{vendor}/listen", dependencies=[needs("dispatcher")], response_model=StrayTopics
    )
    async def listen_to_vendor(vendor: str) -> Response:
        """Listen at the broker for eight seconds: which topics of the vendor does nobody read?

        One at a time. 503 `broker_unavailable` when the broker does not let it.
        """
        known(vendor)
        async with listening:
            try:
                prefixes, heard = await asyncio.to_thread(desk.listen, vendor, LISTEN_S)
            except BrokerUnavailable as exc:
                raise ProblemError(503, "broker_unavailable", harmless(str(exc))) from exc
        found = [
            each._replace(
                topic=harmless(each.topic, indent=""), payload=harmless(each.payload, indent="")
            )._asdict()
            for each in heard
        ]
        return Answer({"prefixes": prefixes, "listened_s": LISTEN_S, "topics": found})

    return routes
