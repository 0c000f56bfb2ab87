"""Routes about pauses and campaigns: what is ordered, and giving and ending orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts.errors import PolicyError, UnknownOrder
from alerts.orders import Order, State
from dashboards.api import answers, caller
from dashboards.api.alerts import Act, Reason
from dashboards.api.answers import Answer
from dashboards.api.lists import Asked
from dashboards.api.problems import PROBLEMS, invalid, unknown
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.zones import zone_index
from dashboards.sources import Sources


def _key(kind: str, example: object, default: object = None, **options: Any) -> Any:
    """Declare a key of a campaign; it is read and checked as in the configuration."""
    schema: dict[str, Any] = {"type": kind}
    if kind == "array":
        schema["items"] = {"type": "string"}
    return Field(default, json_schema_extra=schema, examples=[example], **options)


class Pause(Act):
    """Nothing is asked of a zone until `until`, and why. Without `from` it begins now."""

    reason: Reason
    from_: Any = _key("string", "2026-05-01T08:00", alias="from")
    until: Any = _key("string", "2026-05-01T12:00", ...)


class NewCampaign(Act):
    """Some zones' policy from `from` (now) to `to`; a key that is not given keeps the zone's own.

    A date as `to` is the campaign's last day.
    """

    name: str
    zones: Any = _key("array", ["cy-01", "cy-02"], ...)
    from_: Any = _key("string", "2026-05-01", alias="from")
    to: Any = _key("string", "2026-05-07", ...)
    frequency: Any = _key("string", "1h30m")
    target: Any = _key("number", 0.9)
    window: Any = _key("string", "day")
    look_back: Any = _key("string", "24h")
    min_cells: Any = _key("integer", 5)
    hours: Any = _key("array", ["Mon-Sun 06:00-22:00"])

    def keys(self) -> dict[str, object]:
        """The keys as in a section of the configuration."""
        said = self.model_dump(by_alias=True, exclude={"actor", "reason", "name"})
        return {key: value for key, value in said.items() if value is not None}


def add(api: APIRouter, sources: Sources, times: Times) -> None:
    """Add the routes /campaigns, and those that pause a zone."""
    routes = group(api, needs("viewer"), tags=["orders"])
    orders = sources.orders

    def view(order: Order, now_ms: int) -> answers.Campaign:
        return times.answer(
            answers.Campaign,
            order,
            keys={key: _plain(value) for key, value in order.keys.items()},
            state=order.state(now_ms),
            source="console" if order.number else "configuration",
        )

    def views(found: Iterable[Order]) -> answers.Campaigns:
        now_ms = sources.now_ms()
        listed = [view(order, now_ms) for order in found]
        return {"at": times.write(now_ms), "campaigns": listed}

    def given(order: Callable[[], Order], renamed: str = "") -> Order:
        """Give an order; a mistake is a 422, where `to` may go by another name."""
        try:
            return order()
        except PolicyError as exc:
            problems = [
                each._replace(where=renamed) if renamed and each.where == "to" else each
                for each in exc.problems
            ]
            raise invalid("invalid_order", problems) from exc

    give = partial(routes.post, dependencies=[needs("dispatcher")])
    take_back = partial(
        give, responses={409: {**PROBLEMS[400], "description": "It cannot be ended"}}
    )

    @routes.get("/campaigns", response_model=answers.Campaigns)
    async def list_campaigns(
        asked: Asked,
        over: Annotated[int, Query(ge=0, le=5_000)] = 50,
    ) -> Response:
        """Pauses and campaigns: what is in force, what is planned, and the last that are over.

        Of those in force the first is over the second, and so on; a pause is over all of them.
        """
        now_ms = sources.now_ms()
        by_state: dict[State, list[Order]] = {"in_force": [], "planned": [], "over": []}
        for order in reversed(orders.all()):
            by_state[order.state(now_ms)].append(order)
        by_state["planned"].sort(key=lambda order: order.from_ms)
        by_state["over"].sort(key=lambda order: order.until_ms, reverse=True)
        by_state["over"] = by_state["over"][:over]
        listed = views(order for found in by_state.values() for order in found)
        return asked.answer(listed, "campaigns", answers.Campaign)

    @give("/campaigns", response_model=answers.Campaign)
    async def start_campaign(request: Request, body: NewCampaign) -> Response:
        """Start a campaign, now or later. 422 lists everything that is wrong as `problems`."""
        now_ms, actor = sources.now_ms(), caller.actor(request, body.actor)
        order = given(
            lambda: orders.start(body.name, body.keys(), actor, now_ms, reason=body.reason)
        )
        caller.add_to_record(request, campaign=order.name, zones=order.zones)
        return Answer(view(order, now_ms))

    @take_back("/campaigns/{name}/end", response_model=answers.Campaign)
    async def end_campaign(request: Request, name: str, body: Act) -> Response:
        """End a campaign or a pause now; one that is planned never comes into force.

        409 `configured` when it stands in the configuration, `already_over` when it has ended.
        """
        now_ms, actor = sources.now_ms(), caller.actor(request, body.actor)
        try:
            order = orders.end(name, actor, now_ms, reason=body.reason)
        except UnknownOrder:
            names = [order.name for order in orders.all()]
            raise unknown("campaign", name, names) from None
        caller.add_to_record(request, campaign=order.name)
        return Answer(view(order, now_ms))

    @give("/zones/{zone_id}/pause", response_model=answers.Campaign)
    async def pause_zone(request: Request, zone_id: str, body: Pause) -> Response:
        """Ask nothing of a zone until an instant: weather, a closure. 422 lists `problems`."""
        zone_index(sources.zones, zone_id)
        now_ms, actor = sources.now_ms(), caller.actor(request, body.actor)
        order = given(
            lambda: orders.pause(
                zone_id, actor, now_ms, reason=body.reason, until=body.until, from_=body.from_
            ),
            "until",
        )
        caller.add_to_record(request, campaign=order.name)
        return Answer(view(order, now_ms))

    @take_back("/zones/{zone_id}/resume", response_model=answers.Campaigns)
    async def resume_zone(request: Request, zone_id: str, body: Act) -> Response:
        """End now what pauses a zone; answers with the pauses that were ended.

        409 `not_paused`, or `configured` when the configuration pauses it.
        """
        zone_index(sources.zones, zone_id)
        actor = caller.actor(request, body.actor)
        ended = orders.resume(zone_id, actor, sources.now_ms(), reason=body.reason)
        caller.add_to_record(request, campaigns=[order.name for order in ended])
        return Answer(views(ended))


def _plain(value: object) -> object:
    """A value as JSON has it; of a calendar file its name alone."""
    return value.name if isinstance(value, PurePath) else value
