"""Pages for errors: what a browser shows where a program gets a problem document.

Whatever refuses or fails answers with a problem; here that becomes a page in the product's own
style when somebody has typed or followed an address. Requests below /api keep the document.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.api.routes import API
from dashboards.console import files
from dashboards.console.catalogue import texts

_PROBLEM = b"application/problem+json"
_KEPT = (b"retry-after", b"www-authenticate", b"connection")


def install(app: FastAPI) -> None:
    """Show errors of an application as pages; call it after its exception handlers are there."""
    handlers = app.exception_handlers
    crash = handlers[Exception]  # it is asked outside of every middleware

    @app.exception_handler(Exception)
    async def crashed(request: Request, exc: Exception) -> Response:
        answer: Response = await crash(request, exc)  # type: ignore[misc]
        if not _wants_page(request.scope):
            return answer
        return _page(request, answer.status_code, json.loads(bytes(answer.body)))

    app.add_middleware(_ErrorPages)


def _wants_page(scope: Scope) -> bool:
    """Whether a browser wants something to show to a person."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].startswith(f"{API}/"):
        return False
    return b"text/html" in dict(scope["headers"]).get(b"accept", b"")


def _page(request: Request, status: int, problem: dict[str, Any]) -> Response:
    language = files.language_of(request)
    known = f"error.{status}" if f"error.{status}.title" in texts(language) else "error.other"
    return files.answer(
        request, "error.html", language, status=status, error=known, detail=problem["detail"]
    )


class _ErrorPages:
    """ASGI middleware that holds a problem back, and answers with its page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _wants_page(scope):
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def show(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                if _PROBLEM in dict(message["headers"]).get(b"content-type", b""):
                    held = message
                    return
            elif held is not None:
                page = _page(Request(scope), held["status"], json.loads(message["body"]))
                page.raw_headers += [each for each in held["headers"] if each[0] in _KEPT]
                await page(scope, receive, send)
                return
            await send(message)

        await self._app(scope, receive, show)
