"""Puts the console on the API's server: NiceGUI gives the page, our own script the contents.

The script reads the public API and its event stream, so a console costs the server one stream
and nothing per bike. Everything it loads comes from this server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from nicegui import app as nicegui_app
from nicegui import ui
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dashboards.access import caller
from dashboards.access.secret import csrf_token
from dashboards.api.overlay import AGE_CLASSES
from dashboards.api.views import URGENCY
from dashboards.console.catalogue import LANGUAGES, Language, texts
from dashboards.sources import Sources

_STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """Settings of the page.

    Attributes
    ----------
    language : {"zh", "en"}
        What is shown to who does not choose with ``?lang=``.
    tile_url : str, optional
        Base map, such as ``https://tiles.example/{z}/{x}/{y}.png``; WGS-84. None: no base map,
        and no request leaves this server.
    attribution : str
        Whom the base map must name.
    """

    language: Language = "zh"
    tile_url: str | None = None
    attribution: str = ""


class _Fresh(StaticFiles):
    """Files that the browser asks about each time, so that an upgrade is never half seen."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def mount(app: FastAPI, sources: Sources, options: ConsoleOptions | None = None) -> None:
    """Put the console at ``/`` of an application made by `create_app`; once per application.

    A process has one NiceGUI, so of two applications that run at once only the one mounted
    last has a console.
    """
    chosen = options or ConsoleOptions()
    app.mount("/console", _Fresh(directory=_STATIC), name="console")

    @ui.page("/", title="智巡 Zhixun", favicon=_FAVICON)
    def console(request: Request) -> None:
        language = chosen.language
        asked = request.query_params.get("lang")
        for known in LANGUAGES:
            if known == asked:
                language = known
        _build(sources, chosen, language, request)

    # NiceGUI's application outlives ours; a second mount in one process must not find it built.
    nicegui_app.middleware_stack = None
    nicegui_app.user_middleware.clear()
    ui.run_with(
        app,
        title="智巡 Zhixun",
        dark=None,
        binding_refresh_interval=None,
        gzip_middleware_factory=None,
        show_welcome_message=False,
        tailwind=False,
    )


def _build(sources: Sources, options: ConsoleOptions, language: Language, request: Request) -> None:
    words = texts(language)
    me = caller.identity(request)
    ui.page_title(words["title"])
    ui.add_head_html('<link rel="stylesheet" href="/console/console.css">')
    config = _config(sources, options, language, words)
    ui.add_body_html(_embedded({**config, **_me(request)}))
    ui.add_body_html('<script type="module" src="/console/console.js"></script>')
    with _box("header", id="bar"):
        with _box("div", "brand"):
            _text(words["title"], "name")
            _text(sources.district, "district")
        if sources.demo_speed is not None:
            _text(f"{words['demo']} ×{sources.demo_speed:g}", "demo").props(
                f'title="{words["demo.hint"]}"'
            )
        _text("", id="clock").props(f'title="{words["clock.hint"]}"')
        _box("span", "space")
        with _box("span", "figure"):
            _text("–", id="live")
            _text(words["bikes"], "unit")
        with _box("span", "figure"):
            _text("–", id="rate")
            _text(words["rate"], "unit")
        with _box("span", id="health").props('data-level="wait" role="status"'):
            _box("i", "dot")
            _text(words["connecting"], id="health-text")
        other = next(known for known in LANGUAGES if known != language)
        ui.link(words["other_language"], f"/?lang={other}").classes("language")
        if me is not None:
            role = words[f"role.{me.role}"]
            ui.link(me.name, "/password").classes("me").props(
                f'title="{role}, {words["me.password"]}"'
            )
            _box("button", "language", id="sign-out").props("type=button")
    _box("div", id="notice").props("hidden role=alert")
    with _box("main", id="desk"):
        with _box("section", id="map-frame"):
            _box("div", id="map")
            _box("div", id="legend").props(f'aria-label="{words["legend"]}"')
        with _box("aside", id="side"):
            with _box("section", "panel", id="zone-panel"):
                with _box("div", "panel-head zone-row"):
                    for key in ("zone", "covered", "idle", "due"):
                        _text(words[f"zones.{key}"])
                _box("div", "rows", id="zones")
            with _box("section", "panel", id="alert-panel"):
                with _box("div", "panel-head"):
                    _text(words["alerts"])
                    _text("0", id="alert-count")
                _box("div", "rows", id="alerts")


def _box(tag: str, classes: str = "", *, id: str = "") -> ui.element:  # noqa: A002
    element = ui.element(tag).classes(classes)
    return element.props(f"id={id}") if id else element


def _text(text: str, classes: str = "", *, id: str = "") -> ui.element:  # noqa: A002
    label = ui.label(text).classes(classes)
    return label.props(f"id={id}") if id else label


def _config(
    sources: Sources, options: ConsoleOptions, language: Language, words: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "lang": language,
        "texts": words,
        "timezone": sources.timezone,
        "demo_speed": sources.demo_speed,
        "tile_url": options.tile_url,
        "attribution": options.attribution,
        "states": URGENCY,
        "ages": [
            {
                "up_to_s": each.up_to_s,
                "color": "rgb({} {} {} / {:.0%})".format(*each.rgba[:3], each.rgba[3] / 255),
            }
            for each in AGE_CLASSES
        ],
    }


def _me(request: Request) -> dict[str, Any]:
    """Who looks at the page, and what of it may be pressed."""
    me = caller.identity(request)
    return {
        "me": None if me is None else me.name,
        "may_act": caller.may_act(request),
        "csrf": None if me is None else csrf_token(me.secret),
    }


def _embedded(config: Mapping[str, Any]) -> str:
    """`config` as a data block; escaped so that no text in it can end the block."""
    text = json.dumps(config, ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026")
    return f'<script type="application/json" id="console-config">{text}</script>'


_FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#0b4f6c"/>'
    '<path d="M16 5 25 26 16 21 7 26Z" fill="#fff"/></svg>'
)
