"""The pages of the console, in one table, and what puts them on the API's server.

A page is the template ``page.html`` and a script that fills it from the public API and its event
stream, so a console costs the server one stream and nothing per bike; where it needs a style of
its own, that stands beside the script. Everything it loads comes from this server. The API decides
who may do what; a page that is not for everybody is left out of the bar for the others, and says
so to who types its address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import Response

from alerts.rules import RULES
from dashboards.access.roles import Role, may
from dashboards.api import caller
from dashboards.api.cells import AGE_CLASSES
from dashboards.api.routes import needs
from dashboards.api.views import URGENCY
from dashboards.console import files, reference
from dashboards.console.catalogue import texts
from dashboards.sources import Sources
from words import catalogue
from words.catalogue import Language


class Page(NamedTuple):
    """One page; its name in words is the text ``page.NAME``."""

    name: str
    path: str  # parameters in braces reach the script
    script: str  # its module, below the folder of the console's files
    key: str = ""  # leads to it; empty for a page that is not in the bar
    needs: Role = "viewer"


PAGES: Final = (
    Page("desk", "/", "map/desk.js", "1"),
    Page("alerts", "/alerts", "alerts/alerts.js", "2"),
    Page("alert", "/alerts/{alert_id}", "alerts/alert.js"),
    Page("zones", "/zones", "zones/zones.js", "3"),
    Page("zone", "/zones/{zone_id}", "zones/zone.js"),
    Page("bikes", "/bikes", "bikes/bikes.js", "4"),
    Page("bike", "/bikes/{vendor}/{bike_id}", "bikes/bike.js"),
    Page("vendors", "/vendors", "vendors/vendors.js", "7"),
    Page("draw", "/draw", "draw/draw.js", "5", "admin"),
    Page("people", "/people", "people/people.js", "6", "admin"),
)


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """Settings of the console."""

    language: Language = "zh"  # for who has not chosen, and whose browser asks for none of ours
    tile_url: str | None = None
    """Base map, such as ``https://tiles.example/{z}/{x}/{y}.png``. None: no base map, and no
    request leaves this server."""
    tile_datum: Literal["wgs84", "gcj02"] = "wgs84"
    """Datum of the base map; what is drawn over it is moved accordingly."""
    attribution: str = ""  # whom the base map must name
    max_gap_s: float = 120.0  # no path is drawn over a longer silence of a bike [s]
    battery_low_percent: float = RULES.defaults["battery_low_percent"]
    """A battery at or below is marked, as its alert's rule does [%]."""


def mount(app: FastAPI, sources: Sources, options: ConsoleOptions | None = None) -> None:
    """Put the console at ``/`` of an application made by `create_app`; once per application."""
    chosen = options or ConsoleOptions()
    files.mount(app)
    reference.mount(app)
    for page in PAGES:
        _add(app, sources, chosen, page)


def _add(app: FastAPI, sources: Sources, options: ConsoleOptions, page: Page) -> None:
    # For every viewer: a page for others says so itself.
    @app.get(page.path, name=page.name, include_in_schema=False, dependencies=[needs("viewer")])
    async def show(request: Request) -> Response:
        language = files.language_of(request, options.language)
        values = _values(sources, options, page, request, language)
        return files.answer(request, "page.html", language, **values)


def _values(
    sources: Sources, options: ConsoleOptions, page: Page, request: Request, language: Language
) -> dict[str, Any]:
    style = page.script.removesuffix("js") + "css"
    me = caller.identity(request)
    return {
        "page": page,
        "pages": [each for each in PAGES if each.key and _is_for(request, each)],
        "me": me,
        "district": sources.district,
        "demo_speed": sources.demo_speed,
        "styles": [style] if (files.STATIC / style).is_file() else [],
        "modules": files.modules_of(page.script),
        "config": _config(sources, options, language)
        | {
            "me": None if me is None else me.name,
            "may_act": caller.may_act(request),
            "may_manage": me is None or may(me.role, "admin"),
            "csrf": caller.csrf(request),
            "page": {
                "name": page.name,
                "params": request.path_params,
                "allowed": _is_for(request, page),
            },
        },
    }


def _is_for(request: Request, page: Page) -> bool:
    """Whether whoever asks may do what the page is for; without access control, everybody."""
    me = caller.identity(request)
    return me is None or may(me.role, page.needs)


def _config(sources: Sources, options: ConsoleOptions, language: Language) -> dict[str, Any]:
    rules = sources.rules
    of_rules = catalogue.texts({**rules.words(), **rules.hints()}, language)
    return {
        "lang": language,
        "texts": texts(language) | of_rules,
        "rules": list(rules),
        "timezone": sources.timezone,
        "demo_speed": sources.demo_speed,
        "tile_url": options.tile_url,
        "tile_datum": options.tile_datum,
        "attribution": options.attribution,
        "max_gap_s": options.max_gap_s,
        "battery_low_percent": options.battery_low_percent,
        "states": URGENCY,
        "ages": [
            {
                "up_to_s": each.up_to_s,
                "color": "rgb({} {} {} / {:.0%})".format(*each.rgba[:3], each.rgba[3] / 255),
            }
            for each in AGE_CLASSES
        ],
        "pages": [
            {"name": each.name, "key": each.key, "path": each.path} for each in PAGES if each.key
        ],
    }
