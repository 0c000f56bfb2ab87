"""The pages before the console: sign in, set up, change the password.

Plain HTML with a small script that calls the API, so that there is one way in for everybody.
"""

from __future__ import annotations

from typing import Literal

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from dashboards.access.access import Access
from dashboards.api import caller
from dashboards.api.routes import needs
from dashboards.console import files
from dashboards.console.catalogue import texts

Door = Literal["login", "setup", "password"]

_FIELDS: dict[Door, tuple[tuple[str, str, str], ...]] = {
    "login": (("username", "text", "username"), ("password", "password", "current-password")),
    "setup": (
        ("username", "text", "username"),
        ("password", "password", "new-password"),
        ("again", "password", "new-password"),
    ),
    "password": (
        ("current", "password", "current-password"),
        ("new", "password", "new-password"),
        ("again", "password", "new-password"),
    ),
}
"""Name, kind and autocomplete word of each field."""


def mount(app: FastAPI, access: Access) -> None:
    """Put the pages at /login, /setup and /password."""
    files.mount(app)

    @app.get("/login", include_in_schema=False, dependencies=[needs("nobody")])
    async def login(request: Request) -> Response:
        return answer(request, "login") if access.has_users() else RedirectResponse("/setup", 303)

    @app.get("/setup", include_in_schema=False, dependencies=[needs("nobody")])
    async def setup(request: Request) -> Response:
        return RedirectResponse("/login", 303) if access.has_users() else answer(request, "setup")

    @app.get("/password", include_in_schema=False, dependencies=[needs("viewer")])
    async def password(request: Request) -> Response:
        return answer(request, "password")

    def answer(request: Request, door: Door) -> Response:
        language = files.language_of(request)
        said = {
            key: text
            for key, text in texts(language).items()
            if key.startswith(("door.", "refusal."))
        }
        config = {"door": door, "csrf": caller.csrf(request), "texts": said}
        return files.answer(
            request, "door.html", language, door=door, fields=_FIELDS[door], config=config
        )
