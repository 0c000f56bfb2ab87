"""The page /docs: the API's OpenAPI document for people, from this server alone."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response

from dashboards.access.credentials import csrf_token
from dashboards.api import caller
from dashboards.api.routes import API, needs
from dashboards.console import files


def mount(app: FastAPI) -> None:
    """Put the page at /docs, for every viewer."""

    @app.get("/docs", include_in_schema=False, dependencies=[needs("viewer")])
    async def reference(request: Request) -> Response:
        user = caller.identity(request)
        csrf = csrf_token(user.secret) if user and user.kind == "session" else None
        config = {"document": f"{API}/openapi.json", "csrf": csrf}
        return files.answer(request, "reference.html", "en", config=config)
