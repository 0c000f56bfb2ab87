"""Which role each route needs: the one table of who may do what.

A route of /api/v1 that is not in it does not exist for anybody: forgetting one closes it, and
a test that compares the table with the OpenAPI document says which one it is.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from dashboards.access.roles import Role

API = "/api/v1"

Needs = Literal["nobody"] | Role
"""A role, or that nobody needs to have signed in."""

ROUTES: dict[tuple[str, str], Needs] = {
    ("GET", "/healthz"): "nobody",
    ("GET", "/readyz"): "nobody",
    ("GET", "/openapi.json"): "nobody",
    ("POST", "/setup"): "nobody",
    ("POST", "/session"): "nobody",
    ("DELETE", "/session"): "viewer",
    ("GET", "/me"): "viewer",
    ("PUT", "/me/password"): "viewer",
    ("GET", "/metrics"): "viewer",
    ("GET", "/zones"): "viewer",
    ("GET", "/zones/{zone_id}/policy"): "viewer",
    ("GET", "/zones/{zone_id}/versions"): "viewer",
    ("PUT", "/zones/{zone_id}"): "admin",
    ("DELETE", "/zones/{zone_id}"): "admin",
    ("GET", "/policies"): "viewer",
    ("GET", "/coverage"): "viewer",
    ("GET", "/coverage/trend"): "viewer",
    ("GET", "/coverage/{zone_id}"): "viewer",
    ("GET", "/coverage/{zone_id}/days"): "viewer",
    ("GET", "/cells"): "viewer",
    ("GET", "/cells.png"): "viewer",
    ("GET", "/bikes"): "viewer",
    ("GET", "/bikes/days"): "viewer",
    ("GET", "/bikes/{bike_id}"): "viewer",
    ("GET", "/bikes/{bike_id}/day"): "viewer",
    ("GET", "/bikes/{bike_id}/path"): "viewer",
    ("GET", "/bikes/{bike_id}/track"): "viewer",
    ("GET", "/tracks"): "viewer",
    ("GET", "/alerts"): "viewer",
    ("GET", "/alerts/{alert_id}"): "viewer",
    ("GET", "/rejects"): "viewer",
    ("GET", "/stream"): "viewer",
    ("POST", "/alerts/{alert_id}/acknowledge"): "dispatcher",
    ("POST", "/alerts/{alert_id}/assign"): "dispatcher",
    ("POST", "/alerts/{alert_id}/shelve"): "dispatcher",
    ("POST", "/alerts/{alert_id}/unshelve"): "dispatcher",
    ("POST", "/alerts/{alert_id}/note"): "dispatcher",
    ("POST", "/alerts/{alert_id}/close"): "dispatcher",
    ("POST", "/alerts/{alert_id}/undo"): "dispatcher",
    ("GET", "/campaigns"): "viewer",
    ("POST", "/campaigns"): "dispatcher",
    ("POST", "/campaigns/{name}/end"): "dispatcher",
    ("POST", "/zones/{zone_id}/pause"): "dispatcher",
    ("POST", "/zones/{zone_id}/resume"): "dispatcher",
    ("GET", "/users"): "admin",
    ("POST", "/users"): "admin",
    ("PATCH", "/users/{username}"): "admin",
    ("DELETE", "/users/{username}"): "admin",
    ("GET", "/tokens"): "admin",
    ("POST", "/tokens"): "admin",
    ("DELETE", "/tokens/{name}"): "admin",
    ("GET", "/audit"): "admin",
}

RECORDED_BY_ACCESS = frozenset({"/session", "/setup", "/me", "/users", "/tokens"})
"""First parts of routes that write their own rows of the audit record, in the transaction of
the change. Every other change is recorded by the gate."""

OPEN_PAGES = frozenset({"/login", "/setup", "/healthz", "/readyz", "/favicon.ico"})
OPEN_FOLDERS = ("/console/", "/access/")
"""Outside the API: what needs no session, because it holds nothing but this program's text."""

SOCKET = "/_nicegui_ws/"
"""The page's web socket and its polling form; they cannot send a CSRF token, so the Origin
check alone guards them. They carry no change: those go through the API."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Wanted(NamedTuple):
    """What a request is for.

    `kind` is ``api``, ``page`` (all outside the API), or ``unlisted``: an API route that is not
    in the table. `route` is the template of an API route.
    """

    kind: Literal["api", "page", "unlisted"]
    needs: Needs
    route: str = ""


def wanted(method: str, path: str) -> Wanted:
    """What a request is for, and the role it needs.

    A method that a listed path does not have asks for what its other methods need, so that the
    answer is 405 to those who may know.
    """
    if path != API and not path.startswith(f"{API}/"):
        is_open = path in OPEN_PAGES or path.startswith(OPEN_FOLDERS)
        return Wanted("page", "nobody" if is_open else "viewer")
    method = "GET" if method == "HEAD" else method
    there = False
    for pattern, known, route, needs in _PATTERNS:
        if pattern.fullmatch(path.removeprefix(API)):
            if known == method:
                return Wanted("api", needs, route)
            there = True
    return Wanted("api", "viewer") if there else Wanted("unlisted", "admin")


_PATTERNS = [
    # A name in braces stands for one part of the path; nothing else in a template is special.
    (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route))), method, route, needs)
    for (method, route), needs in ROUTES.items()
]
