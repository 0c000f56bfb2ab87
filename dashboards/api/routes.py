"""Which role each route needs: it stands at the route, and the gate looks it up for a request.

    @routes.post("/campaigns", dependencies=[needs("dispatcher")])

The dependency alone would refuse too late: FastAPI reads and parses the body first. So the gate
asks before anything of a request is read, by the path; and the dependency asks once more, in the
route that was reached. A route of /api/v1 without a role does not exist for anybody, and a test
says which one it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from functools import cached_property
from typing import Any, Literal, NamedTuple

from fastapi import APIRouter, Depends, Request
from fastapi.routing import iter_route_contexts
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.routing import BaseRoute, Mount, compile_path
from starlette.staticfiles import StaticFiles

from dashboards.access.roles import AccessRefused, Identity, Role, may
from dashboards.api import caller

API = "/api/v1"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

RoleOrNobody = Literal["nobody"] | Role
"""A role, or that nobody needs to have signed in."""


class Needs:
    """The dependency of a route: who calls it has at least a role."""

    def __init__(self, role: RoleOrNobody) -> None:
        self.role = role

    async def __call__(self, request: Request) -> None:
        """Raise AccessRefused with `role_too_low`; without access control everybody may."""
        identity = caller.identity(request)
        if identity is not None:
            self.check(identity)

    def check(self, identity: Identity) -> None:
        """Raise AccessRefused with `role_too_low` when the role of `identity` is too low."""
        if self.role != "nobody" and not may(identity.role, self.role):
            raise AccessRefused(
                "role_too_low",
                f"this needs the role {self.role}; {identity.name} is {identity.role}",
            )


def needs(role: RoleOrNobody) -> Any:
    """Make an entry for `dependencies` of a route or router; of several the highest holds."""
    return Depends(Needs(role))


def group(api: APIRouter, *dependencies: Any, tags: Sequence[str] = ()) -> APIRouter:
    """Make a router for routes of `api` that have `dependencies` and `tags` besides its own.

    The routes are those of `api` at once. FastAPI's include_router would make all of them a
    second time, with the models of what they read and answer.
    """
    routes = copy(api)  # with the same list of routes
    routes.dependencies = [*api.dependencies, *dependencies]
    routes.tags = [*api.tags, *tags]
    return routes


class Listed(NamedTuple):
    """A route, its path with that of its mounts, and its role; None when nobody gave it one."""

    method: str
    path: str
    role: RoleOrNobody | None


def listed(routes: Sequence[BaseRoute], before: str = "") -> Iterator[Listed]:
    """All routes of an application, those of mounted applications too.

    A mounted folder of files needs nobody: it holds nothing but this program's text.
    """
    for context in iter_route_contexts(routes):
        route, path = context.original_route, f"{before}{context.path}"
        if isinstance(route, Mount):
            if isinstance(route.app, StaticFiles):
                yield Listed("GET", f"{path}/{{path:path}}", "nobody")
            else:
                yield from listed(route.routes, path)
            continue
        given = [
            each.dependency.role
            for each in getattr(context, "dependencies", ())
            if isinstance(each.dependency, Needs)
        ]
        role = max(given, key=_ORDER.index) if given else None
        for method in getattr(context, "methods", None) or ():
            yield Listed(method, path, role)


class BikeConvertor(PathConvertor):
    """An id of a bike in a path: as its vendor writes it, or `vendor/bike_id` as answers do."""

    regex = "[^/]+(?:/[^/]+)?"


register_url_convertor("bike", BikeConvertor())

_ORDER: tuple[RoleOrNobody, ...] = ("nobody", "viewer", "dispatcher", "admin")


class Wanted(NamedTuple):
    """What a request is for.

    `kind` is ``api``, ``page`` (all outside the API), or ``unlisted``: an API route that there is
    not, or that has no role. `route` is the template of an API route.
    """

    kind: Literal["api", "page", "unlisted"]
    role: RoleOrNobody
    route: str = ""


class Routes:
    """The routes of an application, read at the first request, when all of them are there."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], Listed, RoleOrNobody]]:
        return [
            (compile_path(route.path)[0], route, route.role)
            for route in listed(self._routes)
            if route.role is not None
        ]

    def wanted(self, method: str, path: str) -> Wanted:
        """What a request is for, and the role it needs.

        A method that a path of the API does not have asks for a viewer, so that the answer is 405
        to those who may know. Outside the API a path that is not there asks for a viewer too.
        """
        method = "GET" if method == "HEAD" else method
        there = False
        api = path == API or path.startswith(f"{API}/")
        for pattern, route, role in self._patterns:
            if pattern.fullmatch(path):
                if route.method == method:
                    kind: Literal["api", "page"] = "api" if api else "page"
                    return Wanted(kind, role, route.path.removeprefix(API))
                there = True
        if not api:
            return Wanted("page", "viewer")
        return Wanted("api", "viewer") if there else Wanted("unlisted", "admin")
