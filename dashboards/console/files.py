"""Templates of the console, and its scripts and styles below a path that names their edition.

The path changes with any byte of any file, so a browser keeps each file for good, and never mixes
the modules of two versions: a module imports its neighbours by relative paths.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import js_lib_leaflet
from fastapi import FastAPI, Request
from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dashboards.api import caller
from dashboards.api.routes import needs
from dashboards.console.catalogue import COOKIE, texts
from words.catalogue import LANGUAGES, Language

STATIC = Path(__file__).parent / "static"
"""Scripts and styles, in a folder for each idea."""

LEAFLET = Path(js_lib_leaflet.__file__).parent / "static" / "js_lib_leaflet"
"""Leaflet, in a wheel made for Django; none of its Python is used."""

SWAGGER = Path(str(find_spec("swagger_ui").origin)).parent / "static"  # type: ignore[union-attr]
"""Swagger UI, in a wheel made for other servers; none of its Python is used."""

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_YEAR_S = 365 * 24 * 3600
_FOREVER = f"public, max-age={_YEAR_S}, immutable"
_IMPORT = re.compile(r'^(?:import|export|\}).*? ?"(\.{1,2}/[\w./-]+\.js)";', re.MULTILINE)


@cache
def edition() -> str:
    """Fingerprint of all files, which changes with any byte of any of them."""
    digest = hashlib.sha256()
    for folder in (STATIC, LEAFLET):
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(file.read_bytes())
    digest.update(version("swagger-ui-py").encode())  # its files are large
    return digest.hexdigest()[:12]


def url(name: str = "") -> str:
    """Path of a file on the server, such as ``map/desk.js``; without a name, of the folder."""
    return f"/console/{edition()}/{name}"


def language_of(request: Request, otherwise: Language = "zh") -> Language:
    """The language of a page: what its address asks for, else what was chosen on the device.

    Else the first of the browser's that there is, else `otherwise`.
    """
    browser = request.headers.get("accept-language", "").lower().split(",")
    wanted = [request.query_params.get("lang"), request.cookies.get(COOKIE)]
    wanted += [tag.strip()[:2] for tag in browser]
    return next((known for word in wanted for known in LANGUAGES if known == word), otherwise)


def answer(
    request: Request, template: str, language: Language, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """A template as a page that no cache keeps; the device keeps the language its address asks for.

    The template has the texts of the language as ``words``, and ``url`` of a file.
    """
    other = next(known for known in LANGUAGES if known != language)
    html = _TEMPLATES.get_template(template).render(
        values, words=texts(language), language=language, other=other, url=url, status=status
    )
    page = HTMLResponse(html, status, headers={"Cache-Control": "no-store"})
    if "lang" in request.query_params:
        secure = caller.is_secure(request.scope)
        page.set_cookie(COOKIE, language, max_age=_YEAR_S, secure=secure)
    return page


@cache
def modules_of(script: str) -> tuple[str, ...]:
    """Names of the modules that a script needs at any depth, its own first.

    A browser learns what a module imports only once it has the module. A page five imports deep
    would wait for the network five times before it begins, so the page names them all.
    """
    found = [script]
    for name in found:  # grows meanwhile
        if name.startswith("leaflet/"):
            continue
        for imported in _IMPORT.findall((STATIC / name).read_text("utf-8")):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), imported))
            if path not in found:
                found.append(path)
    return tuple(found)


def mount(app: FastAPI) -> None:
    """Serve the files; a second call for an application changes nothing."""
    if any(getattr(route, "name", None) == "console" for route in app.routes):
        return
    app.mount(url("leaflet"), _Kept(directory=LEAFLET), name="leaflet")
    app.mount(url("swagger"), _Kept(directory=SWAGGER), name="swagger")
    app.mount(url().rstrip("/"), _Kept(directory=STATIC), name="console")
    app.add_api_route(
        "/console/{edition}/{name:path}",
        _of_another_edition,
        methods=["GET", "HEAD"],
        include_in_schema=False,
        dependencies=[needs("nobody")],
    )


class _Kept(StaticFiles):
    """Files with a header that lets a browser keep them for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _FOREVER
        return response


async def _of_another_edition(request: Request) -> Response:
    """Redirect a page of another edition to the files of this one."""
    name = request.path_params["name"]
    return RedirectResponse(url(name), 307, headers={"Cache-Control": "no-store"})
