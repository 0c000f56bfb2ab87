"""Puts the console on the API's server: NiceGUI gives the pages, our own scripts the contents.

The scripts read the public API and its event stream, so a console costs the server one stream
and nothing per bike. Everything they load comes from this server.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from nicegui import app as nicegui_app
from nicegui import ui
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dashboards.console.frame import ConsoleOptions, build
from dashboards.console.pages import PAGES, Page
from dashboards.console.scripts import STATIC
from dashboards.sources import Sources

__all__ = ["ConsoleOptions", "mount"]


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
    app.mount("/console", _Fresh(directory=STATIC), name="console")
    for page in PAGES:
        _add(sources, chosen, page)
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


def _add(sources: Sources, options: ConsoleOptions, page: Page) -> None:
    @ui.page(page.path, title="智巡 Zhixun", favicon=_FAVICON)
    def console(request: Request) -> None:
        build(sources, options, page, request)


_FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#0b4f6c"/>'
    '<path d="M16 5 25 26 16 21 7 26Z" fill="#fff"/></svg>'
)
