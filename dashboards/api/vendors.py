"""Routes about vendors: what comes from each and how, the bikes it lacks, and accepting them.

A payload may hold anything, so those who only look on do not see it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from bikes.roster import BikeKey
from bikes.topics import BIKE_FORM, is_bike
from dashboards.api import caller
from dashboards.api.answers import Answer
from dashboards.api.lists import Asked
from dashboards.api.problems import PROBLEMS, ProblemError, unknown
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.vendor_answers import (
    BikeClock,
    FirstMessage,
    LastRefusal,
    Refusals,
    State,
    StrayTopics,
    UnknownBikeSeen,
    Vendor,
    Vendors,
)
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


class NewBike(BaseModel):
    """A bike to put on a vendor's list."""

    model_config = ConfigDict(extra="forbid")

    bike_id: Annotated[str, Field(max_length=200)]


def add(api: APIRouter, sources: Sources, times: Times) -> None:
    """Add the routes under /vendors."""
    routes = group(api, needs("viewer"), tags=["vendors"])
    desk, listening = sources.vendors, asyncio.Lock()

    def known(vendor: str) -> None:
        if vendor not in desk.formats():
            raise unknown("vendor", vendor, desk.formats())

    def shown(reject: Reject, may_read: bool) -> LastRefusal:
        payload = harmless(reject.payload, indent="") if may_read else None
        return times.answer(
            LastRefusal, reject, at=times.write(reject.received_at_ms), payload=payload
        )

    def refusals(may_read: bool) -> defaultdict[str, list[Refusals]]:
        """What was refused, by vendor, the most frequent reason first."""
        last: dict[tuple[str, str], Reject] = {}
        for _, reject in sources.rejects.last():
            last.setdefault((reject.vendor, reject.reason), reject)
        found = defaultdict[str, list[Refusals]](list)
        for of, items in sorted(sources.rejects.counts.items(), key=lambda each: -each[1]):
            kept = shown(last[of], may_read) if of in last else None
            found[of[0]].append({"reason": of[1], "items": items, "last": kept})
        return found

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

    def delays() -> defaultdict[str, dict[str, float]]:
        """How late the newest fix of each bike that was heard lately came in [s], by vendor."""
        fleet, since_ms = sources.view().fleet, sources.now_ms() - HEARD_S * 1000
        found = defaultdict[str, dict[str, float]](dict)
        heard = np.asarray(fleet.state()["heard_at_ms"], np.int64)
        for state in fleet.some(np.flatnonzero(heard > since_ms)).states():
            if state.last_ms is not None and state.heard_at_ms is not None:
                vendor, bike_id = sources.roster.key(state.bike)
                found[vendor][bike_id] = round((state.heard_at_ms - state.last_ms) / 1000, 1)
        return found

    def clocks(delays_s: Mapping[str, float], median_s: float) -> list[BikeClock]:
        """The bikes that differ most from the median."""
        off = {bike: abs(late_s - median_s) for bike, late_s in delays_s.items()}
        worst = sorted((bike for bike in off if off[bike] > OFF_S), key=lambda bike: -off[bike])
        return [{"bike_id": bike, "offset_s": delays_s[bike]} for bike in worst[:MOST]]

    def listing(request: Request) -> list[Vendor]:
        now_ms, accounts, late = sources.now_ms(), sources.view().accounts, delays()
        since_ms = (now_ms // 60_000) * 60_000 - RATE_S * 1000
        recent = desk.counts(since_ms)
        refused = refusals(caller.may_act(request))
        found: list[Vendor] = []
        for name, vendor in sorted(desk.formats().items()):
            account = accounts.get(name, Account())
            delay_s = median(late[name].values()) if late[name] else None
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
                "clocks": clocks(late[name], delay_s or 0.0),
                "refusals": refused[name],
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
