"""The console on a real server, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from playwright.sync_api import Page

from dashboards.access.access import Access
from dashboards.api.stream import Feed
from dashboards.app import create_app
from dashboards.console import files
from dashboards.console.pages import ConsoleOptions, mount
from patrol.config.sections import Http
from patrol.web import WebServer
from tests.dashboards.access.people import PASSWORD
from tests.dashboards.district import District
from tests.patience import until
from tests.servers import HOST, free_port

T = TypeVar("T")


class ConsoleServer:
    """Serves a district on a free port of 127.0.0.1 while the context lasts."""

    def __init__(
        self,
        district: District,
        options: ConsoleOptions | None = None,
        access: Access | None = None,
    ) -> None:
        sources = district.sources()
        self._app = create_app(sources, access)
        mount(self._app, sources, options)
        tiles = None if options is None else options.tile_url
        self._server = WebServer(self._app, HOST, port := free_port(), Http(), tiles)
        self.url = f"http://{HOST}:{port}"
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> ConsoleServer:
        self._thread.start()
        until(lambda: self._server.started)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def feed(self) -> Feed:
        """The live feed, to let it look at once."""
        feed: Feed = self._app.state.feed
        return feed

    def do(self, change: Callable[[], T]) -> T:
        """Change the district on the loop that reads it."""

        async def changed() -> T:
            return change()

        return asyncio.run_coroutine_threadsafe(changed(), self._loop).result(10)

    def stop(self) -> None:
        """Stop as the station does: end long answers and the streams, then the server."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._app.state.background.close)
            self._loop.call_soon_threadsafe(self._app.state.feed.close)
            self._server.should_exit = True
            self._thread.join(10)
            assert not self._thread.is_alive(), "the server did not stop"

    def _serve(self) -> None:
        with self._runner:
            self._runner.run(self._server.run_until_told())


def in_module(page: Page, name: str, script: str, given: object = None) -> Any:
    """What a function says that gets a module of the page, and what is given."""
    return page.evaluate(
        f"async (given) => ({script})(await import('{files.url(name)}'), given)", given
    )


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the door, in English, and press the button."""
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
