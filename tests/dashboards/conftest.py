"""A district by hand, and the API over it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from dashboards.app import create_app
from tests.dashboards.district import District, new_district
from tests.dashboards.shapes import shapes_of

ORIGIN = "http://127.0.0.1:8080"


class Api:
    """Asks the application, without a socket, and holds its answers to their shapes."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.ask("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> httpx.Response:
        """POST with a JSON body."""
        return self.ask("POST", path, json=body, **options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any method."""

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                return await client.request(method, path, **options)

        answer = asyncio.run(asked())
        if isinstance(self.app, FastAPI):  # and not a part of one
            shapes_of(self.app).hold(method, path, answer)
        return answer


@pytest.fixture
def district(tmp_path: Path) -> Iterator[District]:
    """The sample district at nine in the morning, with a book of its own."""
    with new_district(tmp_path) as district:
        yield district


@pytest.fixture
def api(district: District) -> Api:
    """A client of the API."""
    return Api(create_app(district.sources()))
