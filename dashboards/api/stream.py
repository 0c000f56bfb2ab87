"""The route /stream, and what it watches."""

from __future__ import annotations

import time
from collections import deque

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from dashboards.api.feed import Feed, Thing
from dashboards.api.routes import needs
from dashboards.api.times import Times
from dashboards.api.views import Views
from dashboards.sources import Sources

RATE_OVER_S = 5.0
"""The rate of messages is the mean of this long [s]."""


class Watch:
    """The state that listeners follow: bikes, coverage, open alerts, and the system's health."""

    def __init__(self, sources: Sources, times: Times, views: Views) -> None:
        self._sources = sources
        self._times = times
        self._views = views
        self._open: frozenset[str] = frozenset()
        self._received: deque[tuple[float, int]] = deque()

    def look(self) -> dict[Thing, object]:
        """Everything, by thing; an alert is there once more after it is over."""
        bikes = self._views.bikes()
        state: dict[Thing, object] = {
            Thing("bike", f"{bike['vendor']}/{bike['bike_id']}"): bike for bike in bikes
        }
        for zone_id, status in self._sources.statuses().items():
            state[Thing("coverage", zone_id)] = self._views.coverage(status)
        alerts = {alert.alert_id: alert for alert in self._sources.book.current()}
        for alert_id in self._open - alerts.keys():
            state[Thing("alert", alert_id)] = self._views.alert(self._sources.book.get(alert_id))
        self._open = frozenset(alerts)
        for alert_id, alert in alerts.items():
            state[Thing("alert", alert_id)] = self._views.alert(alert)
        state[Thing("zones", "")] = {
            "version": self._sources.drawing.version,
            "from": self._times.write_or_none(max(self._sources.in_force().from_ms, 0)),
        }
        state[Thing("health", "")] = self._health(
            len(bikes), sum(bike["liveness"] == "live" for bike in bikes)
        )
        return state

    def _health(self, bikes: int, live: int) -> dict[str, object]:
        health = self._sources.health()
        now_ms = self._sources.now_ms()
        return {
            "at": self._times.write(now_ms),
            "now_ms": now_ms,
            "ready": health.ready,
            "parts": [
                {
                    "name": part.name,
                    "ok": part.ok,
                    "reason": part.reason,
                    "required": part.required,
                }
                for part in health.parts
            ],
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


def router(feed: Feed) -> APIRouter:
    """The route /stream."""
    routes = APIRouter(tags=["stream"], dependencies=[needs("viewer")])

    @routes.get(
        "/stream",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def stream() -> Response:
        """Server-sent events: `bike`, `coverage`, `alert`, `zones`, `health`.

        The stream begins with the whole state (bikes, zones, open alerts), so a client that
        reconnects needs nothing else. Data are the items of /bikes, /coverage and /alerts; an
        alert comes once more when it is over. `zones` comes when zones were redrawn or others
        have come into force: load /zones again. A client that reads slowly gets the newest state
        of each thing and misses what was in between.
        """
        return StreamingResponse(
            feed.stream(),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes
