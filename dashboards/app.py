"""The application: routes under /api/v1, health at the root too, every error a problem."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from dashboards.access.access import Access
from dashboards.api import (
    alerts,
    bike_days,
    bikes,
    cells,
    health,
    orders,
    parameters,
    people,
    problems,
    stream,
    vendors,
    zone_drawing,
    zone_history,
    zones,
)
from dashboards.api.answers import Answer
from dashboards.api.background import Background
from dashboards.api.conditional import Conditional
from dashboards.api.document import Api
from dashboards.api.gate import Gate
from dashboards.api.loopback import LOOPBACK, Hosts, KnownHosts
from dashboards.api.problems import PROBLEMS
from dashboards.api.routes import API, needs
from dashboards.api.sight import Herd
from dashboards.api.stream import LAST_EVENT
from dashboards.api.times import Times
from dashboards.api.views import Views
from dashboards.console import doors, errors
from dashboards.sources import Sources

DESCRIPTION = """\
Where the patrol bikes are, which unit cells of which zone they have covered, and what is
to be done about it.

Times are RFC 3339; they are written with the offset of the district, and one without an
offset is read as a time of the district. Errors are problem documents (RFC 9457) whose
`reason` is the word to decide by. A list that has more carries `next_cursor`.

What is read has an ETag, of all but the instant `at`: who sends it as If-None-Match gets 304
while nothing else has changed.
"""


def create_app(sources: Sources, access: Access | None = None, hosts: Hosts = LOOPBACK) -> FastAPI:
    """The HTTP API over one set of sources.

    The application listens nowhere yet. Before the server is asked to stop, call
    ``app.state.feed.close()`` and ``app.state.background.close()``: they end the open event streams
    and long answers, which a server otherwise waits for.

    `sources` are read on the event loop that serves the application. Without `access` everybody may
    everything, so serve it on a loopback address only. `hosts` are the names it answers to.
    """
    assert access is not None or hosts == LOOPBACK, "without access control, loopback only"
    times = Times(ZoneInfo(sources.timezone))
    views = Views(sources, times)
    background = Background()
    herd = Herd(sources, views)
    look = stream.Watch(sources, times, views, herd).look
    feed = stream.Feed(look, herd, prepare=views.presence.now)

    # An application of its own, so that a wrong path or method under /api is its problem
    # whatever else is mounted at the root.
    api = Api(
        title="Zhixun",
        version="1",
        description=DESCRIPTION,
        default_response_class=Answer,
        generate_unique_id_function=lambda route: route.name,
        servers=[{"url": API}],
        openapi_url=None,  # as a route, with a role as every other
        docs_url=None,  # these pages load scripts from another server
        redoc_url=None,
        responses={status: PROBLEMS[status] for status in (400, 401, 403, 404, 413, 422, 429, 503)},
        # Says in the document how programs identify themselves; the gate is what checks it.
        dependencies=[
            Depends(parameters.known),
            *([Depends(HTTPBearer(auto_error=False))] if access else []),
        ],
    )
    # Before those whose paths hold a name: /coverage/trend is no zone, /bikes/days no bike.
    zone_history.add(api.router, sources, times, background)
    bike_days.add(api.router, sources, times, background)
    zones.add(api.router, sources, times, views, background)
    cells.add(api.router, sources, times, views)
    zone_drawing.add(api.router, sources, times, background)
    bikes.add(api.router, sources, times, views, background)
    alerts.add(api.router, sources, times, views)
    orders.add(api.router, sources, times)
    health.add_rejects(api.router, sources, times)
    vendors.add(api.router, sources, times)
    stream.add(api.router, feed)
    health.add(api.router, sources, views)
    if access is not None:
        people.add(api.router, access, times, sources)

    @api.get("/openapi.json", include_in_schema=False, dependencies=[needs("nobody")])
    async def openapi() -> Response:
        return Answer(api.openapi())

    problems.install(api)
    api.add_middleware(Conditional)

    app = FastAPI(openapi_url=None)
    health.add(app.router, sources, views)
    app.mount(API, api)
    problems.install(app)
    if access is not None:
        doors.mount(app, access)
        app.add_middleware(Gate, access=access, routes=app.routes)
    errors.install(app)
    # Level 5 takes a third of the time of 9, for 2 % more bytes; event streams and pictures pass.
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    if hosts.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(hosts.origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "If-Match",
                "If-None-Match",
                LAST_EVENT,
            ],
            expose_headers=["ETag", "Grid-Box", "Link", "Retry-After"],
            allow_credentials=False,  # such a page has a token of its own, never our cookie
        )
    app.add_middleware(KnownHosts, hosts=hosts)  # the outermost: it is asked first
    app.state.feed, app.state.background = feed, background
    return app
