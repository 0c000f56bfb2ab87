"""The frame of every page: its bar, its place for a notice, and what its script must know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Request
from nicegui import ui

from dashboards.access.credentials import csrf_token
from dashboards.access.roles import may
from dashboards.api import caller
from dashboards.api.cells import AGE_CLASSES
from dashboards.api.views import URGENCY
from dashboards.console.catalogue import COOKIE, LANGUAGES, Language, texts
from dashboards.console.pages import PAGES, Page
from dashboards.console.scripts import STATIC, modules_of
from dashboards.sources import Sources


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """Settings of the console.

    Attributes
    ----------
    language : {"zh", "en"}
        What is shown to who has not chosen with ``?lang=``.
    tile_url : str, optional
        Base map, such as ``https://tiles.example/{z}/{x}/{y}.png``. None: no base map, and no
        request leaves this server.
    tile_datum : {"wgs84", "gcj02"}
        Datum of the base map; what is drawn over it is moved accordingly.
    attribution : str
        Whom the base map must name.
    max_gap_s : float
        No path is drawn over a longer silence of a bike [s].
    battery_low_percent : float
        A battery at or below is marked, as its alert's rule does [%].
    """

    language: Language = "zh"
    tile_url: str | None = None
    tile_datum: Literal["wgs84", "gcj02"] = "wgs84"
    attribution: str = ""
    max_gap_s: float = 120.0
    battery_low_percent: float = 20.0


def chosen_language(request: Request, otherwise: Language) -> Language:
    """What ``?lang=`` asks for; without it, what it asked for last."""
    asked = request.query_params.get("lang", request.cookies.get(COOKIE))
    return next((known for known in LANGUAGES if known == asked), otherwise)


def build(sources: Sources, options: ConsoleOptions, page: Page, request: Request) -> None:
    """Put the frame of `page` into the NiceGUI page that is being made."""
    language = chosen_language(request, options.language)
    words = texts(language)
    ui.page_title(words["title"])
    # Before anything is drawn, so that a dark room is never flashed at.
    ui.add_head_html('<script src="/console/theme.js"></script>')
    for style in ("console", page.name):
        if (STATIC / f"{style}.css").is_file():
            ui.add_head_html(f'<link rel="stylesheet" href="/console/{style}.css">')
    for module in modules_of(page.name):
        ui.add_head_html(f'<link rel="modulepreload" href="/console/{module}">')
    config = _config(sources, options, language, words)
    ui.add_body_html(_embedded({**config, **_me(request), "page": _page(page, request)}))
    ui.add_body_html(f'<script type="module" src="/console/{page.name}.js"></script>')
    with _box("header", id="bar").props("role=banner"):
        with _box("div", "brand"):
            _text(words["title"], "name")
            _text(sources.district, "district")
        if sources.demo_speed is not None:
            _text(f"{words['demo']} ×{sources.demo_speed:g}", "demo").props(
                f'title="{words["demo.hint"]}"'
            )
        with _box("nav", id="nav").props(f'aria-label="{words["nav"]}"'):
            for each in PAGES:
                if each.key and _is_for(request, each):
                    _link(each, words, here=each.name == page.name)
        _box("span", "space")
        _text("", id="clock").props(f'title="{words["clock.hint"]}"')
        with _box("span", "figure"):
            _text("–", id="live")
            _text(words["bikes"], "unit")
        with _box("span", "figure"):
            _text("–", id="rate")
            _text(words["rate"], "unit")
        with _box("span", id="health").props('data-level="wait" role="status"'):
            _box("i", "dot")
            _text(words["connecting"], id="health-text")
        _button("theme", words["theme"])
        other = next(known for known in LANGUAGES if known != language)
        ui.link(words["other_language"], f"?lang={other}").classes("language").props(
            f"id=other-language hreflang={other}"
        )
        me = caller.identity(request)
        if me is not None:
            role = words[f"role.{me.role}"]
            ui.link(me.name, "/password").classes("me").props(
                f'title="{role}, {words["me.password"]}"'
            )
            _button("sign-out", words["me.sign_out"])
    _box("div", id="notice").props("hidden role=alert")
    _box("main", f"page-{page.name}", id="main")


def _link(page: Page, words: Mapping[str, str], *, here: bool) -> None:
    current = ' aria-current="page"' if here else ""
    with ui.link(target=page.path).props(f'data-page={page.name} title="{page.key}"{current}'):
        _text(words[f"page.{page.name}"])


def _is_for(request: Request, page: Page) -> bool:
    """Whether whoever asks may do what the page is for; without access control, everybody."""
    me = caller.identity(request)
    return me is None or may(me.role, page.needs)


def _box(tag: str, classes: str = "", *, id: str = "") -> ui.element:  # noqa: A002
    element = ui.element(tag).classes(classes)
    return element.props(f"id={id}") if id else element


def _text(text: str, classes: str = "", *, id: str = "") -> ui.element:  # noqa: A002
    label = ui.label(text).classes(classes)
    return label.props(f"id={id}") if id else label


def _button(id: str, title: str) -> None:  # noqa: A002
    _box("button", "plain", id=id).props(f'type=button title="{title}" aria-label="{title}"')


def _page(page: Page, request: Request) -> dict[str, Any]:
    return {"name": page.name, "params": request.path_params, "allowed": _is_for(request, page)}


def _config(
    sources: Sources, options: ConsoleOptions, language: Language, words: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "lang": language,
        "texts": words,
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


def _me(request: Request) -> dict[str, Any]:
    """Who looks at the page, and what of it may be pressed."""
    me = caller.identity(request)
    return {
        "me": None if me is None else me.name,
        "may_act": caller.may_act(request),
        "may_manage": me is None or may(me.role, "admin"),
        "csrf": None if me is None else csrf_token(me.secret),
    }


def _embedded(config: Mapping[str, Any]) -> str:
    """`config` as a data block; escaped so that no text in it can end the block."""
    text = json.dumps(config, ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026")
    return f'<script type="application/json" id="console-config">{text}</script>'
