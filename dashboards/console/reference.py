"""The page /docs: the API's OpenAPI document for people, from this server alone."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response

from dashboards.api import caller
from dashboards.api.routes import API, needs
from dashboards.console import files


def mount(app: FastAPI) -> None:
    """Put the page at /docs, for every viewer."""

    @app.get("/docs", include_in_schema=False, dependencies=[needs("viewer")])
    async def reference(request: Request) -> Response:
        config = {"document": f"{API}/openapi.json", "csrf": caller.csrf(request)}
        return files.answer(request, "reference.html", "en", config=config)
