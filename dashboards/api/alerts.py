"""Routes about alerts: the book, one alert with its record, and the transitions people make."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from alerts.alert import Alert
from alerts.errors import UnknownAlert
from alerts.lifecycle import STATES
from alerts.store.book import OPEN
from dashboards.api import answers, caller, paging
from dashboards.api.answers import Answer
from dashboards.api.lists import Asked
from dashboards.api.problems import PROBLEMS, one_of, unknown
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.views import Views
from dashboards.sources import Sources

Text = Annotated[str, Field(max_length=2000)]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class Act(BaseModel):
    """Why; and who, where nobody has to sign in. Elsewhere the actor is who has signed in."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    actor: Name = "console"
    reason: Text = ""


class Assign(Act):
    """`to` is who goes there."""

    to: Name


class Shelve(Act):
    """`until` is when it comes back; the reason is required."""

    until: str
    reason: Reason


class Note(Act):
    """`text` is what is worth knowing."""

    text: Reason


def add(api: APIRouter, sources: Sources, times: Times, views: Views) -> None:
    """Add the routes under /alerts."""
    routes = group(api, needs("viewer"), tags=["alerts"])
    book = sources.book
    of_rule = Query(None, description=f"One of {', '.join(sources.rules)}")

    def found(alert_id: str) -> Alert:
        try:
            return book.get(alert_id)
        except UnknownAlert:
            known = [alert.alert_id for alert in book.current()]
            raise unknown("alert", alert_id, known) from None

    @routes.get("/alerts", response_model=answers.Alerts)
    def list_alerts(  # in a thread: a page of 5,000 takes a while
        asked: Asked,
        state: str | None = None,
        zone_id: str | None = None,
        rule: str | None = of_rule,
        limit: Annotated[int, Query(ge=1, le=5_000)] = 200,
        cursor: str | None = None,
    ) -> Response:
        """Alerts, the newest first; those dropped before anybody was told only when asked for."""
        one_of("state", state, (OPEN, *STATES[1:]), where="state")
        one_of("rule", rule, list(sources.rules), where="rule")
        if cursor is not None:
            try:
                book.get(cursor)
            except UnknownAlert:
                raise paging.invalid(cursor) from None
        # One more than the page holds tells whether there is another page.
        found = book.find(state=state, zone_id=zone_id, rule=rule, before=cursor, limit=limit + 1)
        if not found:  # the book remembers zones of other times too
            one_of("zone", zone_id, sources.atlas.layout.zone_ids, where="zone_id")
        listed = [views.alert(alert) for alert in found[:limit]]
        going_on = found[limit - 1].alert_id if len(found) > limit else None
        content = {"at": times.write(sources.now_ms()), "alerts": listed}
        return asked.answer(content, "alerts", answers.Alert, going_on)

    @routes.get("/alerts/{alert_id}", response_model=answers.AlertRecord)
    async def get_alert(alert_id: str) -> Response:
        """One alert with its history: who, when, why, and what proves it."""
        return Answer(views.record(found(alert_id)))

    def act(
        request: Request, alert_id: str, body: Act, transition: Callable[[str, str, int], Alert]
    ) -> Response:
        found(alert_id)
        changed = transition(alert_id, caller.actor(request, body.actor), sources.now_ms())
        caller.add_to_record(request, alert=alert_id, transition=changed.history[-1].seq)
        return Answer(views.record(found(alert_id)))

    def post(name: str) -> Callable[[Any], Any]:
        return routes.post(
            f"/alerts/{{alert_id}}/{name}",
            dependencies=[needs("dispatcher")],
            response_model=answers.AlertRecord,
            responses={409: {**PROBLEMS[400], "description": "The lifecycle forbids it"}},
        )

    @post("acknowledge")
    async def acknowledge_alert(request: Request, alert_id: str, body: Act) -> Response:
        """Acknowledge an alert: somebody has seen it."""
        return act(request, alert_id, body, partial(book.acknowledge, reason=body.reason))

    @post("assign")
    async def assign_alert(request: Request, alert_id: str, body: Assign) -> Response:
        """Assign an alert: somebody goes there."""
        return act(request, alert_id, body, partial(book.assign, to=body.to, reason=body.reason))

    @post("shelve")
    async def shelve_alert(request: Request, alert_id: str, body: Shelve) -> Response:
        """Shelve an alert: it comes back at `until` as what its condition says then."""
        until_ms = times.read(body.until, name="until")
        return act(
            request, alert_id, body, partial(book.shelve, until_ms=until_ms, reason=body.reason)
        )

    @post("unshelve")
    async def unshelve_alert(request: Request, alert_id: str, body: Act) -> Response:
        """Unshelve an alert before its time."""
        return act(request, alert_id, body, partial(book.unshelve, reason=body.reason))

    @post("note")
    async def note_on_alert(request: Request, alert_id: str, body: Note) -> Response:
        """Add a remark to an alert's history; its state stays."""
        return act(request, alert_id, body, partial(book.note, reason=body.text))

    @post("close")
    async def close_alert(request: Request, alert_id: str, body: Act) -> Response:
        """Close a returned alert on record, as verified (销号)."""
        return act(request, alert_id, body, partial(book.close, reason=body.reason))

    @post("undo")
    async def undo_alert(request: Request, alert_id: str, body: Act) -> Response:
        """Undo the last that the caller has done to an alert, within ten seconds; `undo_until`.

        Both stay on record, and the alert is as it was before. Only who did it can, and only
        while nothing else has happened to the alert.
        """
        return act(
            request,
            alert_id,
            body,
            partial(book.undo, within_ms=sources.undo_within_ms, reason=body.reason),
        )
