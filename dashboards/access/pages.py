"""The pages before the console: sign in, set up, change the password.

Plain HTML with a small script that calls the API, so that there is one way in for everybody.
Their policy allows no script but this server's own, and nothing may frame them.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Literal

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from dashboards.access.access import Access
from dashboards.access.credentials import csrf_token
from dashboards.api import caller
from dashboards.api.routes import needs
from dashboards.console.catalogue import COOKIE, LANGUAGES, Language, texts

Door = Literal["login", "setup", "password"]

_STATIC = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
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
    """Put the pages at /login, /setup and /password, and their files at /access."""
    app.mount("/access", StaticFiles(directory=_STATIC), name="access")

    def answer(request: Request, door: Door) -> Response:
        return HTMLResponse(
            page(door, _language(request), _csrf(request)),
            headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"},
        )

    @app.get("/login", include_in_schema=False, dependencies=[needs("nobody")])
    async def login(request: Request) -> Response:
        if not access.has_users():
            return RedirectResponse("/setup", 303)
        return answer(request, "login")

    @app.get("/setup", include_in_schema=False, dependencies=[needs("nobody")])
    async def setup(request: Request) -> Response:
        if access.has_users():
            return RedirectResponse("/login", 303)
        return answer(request, "setup")

    @app.get("/password", include_in_schema=False, dependencies=[needs("viewer")])
    async def password(request: Request) -> Response:
        return answer(request, "password")


def page(door: Door, language: Language, csrf: str | None = None) -> str:
    """The whole HTML of a page."""
    words = texts(language)
    other = next(known for known in LANGUAGES if known != language)
    fields = "".join(
        f"<label>{escape(words[f'door.{name}'])}"
        f'<input name="{name}" type="{kind}" autocomplete="{complete}" required'
        f"{' autocapitalize=none spellcheck=false autofocus' if kind == 'text' else ''}></label>"
        for name, kind, complete in _FIELDS[door]
    )
    said = {key: text for key, text in words.items() if key.startswith(("door.", "refusal."))}
    config = json.dumps({"door": door, "csrf": csrf, "texts": said}, ensure_ascii=False)
    config = config.replace("<", "\\u003c").replace("&", "\\u0026")
    hint = words.get(f"door.{door}.hint", "")
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(words["title"])}</title>
<script src="/console/theme.js"></script>
<link rel="stylesheet" href="/access/door.css">
</head>
<body>
<main>
<header><b>{escape(words["title"])}</b> <span>{escape(words["subtitle"])}</span>
<a id="language" hreflang="{other}" href="?lang={other}">{escape(words["other_language"])}</a>
</header>
<h1>{escape(words[f"door.{door}.title"])}</h1>
<p>{escape(hint)}</p>
<form id="door">{fields}<p id="problem" role="alert" hidden></p>
<button>{escape(words[f"door.{door}.button"])}</button></form>
</main>
<script type="application/json" id="door-config">{config}</script>
<script type="module" src="/access/door.js"></script>
</body>
</html>
"""


def _language(request: Request) -> Language:
    asked = request.query_params.get("lang", request.cookies.get(COOKIE))
    preferred = request.headers.get("accept-language", "zh")[:2]
    return next(
        (known for word in (asked, preferred) for known in LANGUAGES if word == known), "zh"
    )


def _csrf(request: Request) -> str | None:
    identity = caller.identity(request)
    return csrf_token(identity.secret) if identity and identity.kind == "session" else None
