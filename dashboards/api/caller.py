"""Who sent a request, for the routes behind the gate."""

from __future__ import annotations

from typing import cast

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Scope

from dashboards.access.credentials import csrf_token
from dashboards.access.roles import Identity, may
from dashboards.api.loopback import is_loopback

COOKIE = "zhixun_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Over TLS: browsers take a cookie of this name only over TLS and from this very host, so no
neighbour can plant one."""

_KEY = "zhixun.identity"
_DETAIL = "zhixun.audit"


def remember(scope: Scope, identity: Identity | None) -> None:
    """Keep who sent the request for its routes. Only the gate calls this."""
    scope[_KEY] = identity
    scope[_DETAIL] = {}


def identity(request: HTTPConnection) -> Identity | None:
    """Who sent the request; None without access control, or on a route that needs nobody."""
    return cast(Identity | None, request.scope.get(_KEY))


def certain(request: HTTPConnection) -> Identity:
    """Who sent the request, on a route that needs a role."""
    found = identity(request)
    assert found is not None
    return found


def asker(request: HTTPConnection) -> str:
    """Who waits for an answer, for turns: who has signed in, or else an address."""
    found = identity(request)
    return address(request.scope) if found is None else found.name


def csrf(request: HTTPConnection) -> str | None:
    """What a page sends as X-CSRF-Token; None where nobody has signed in by a session."""
    found = identity(request)
    return None if found is None else csrf_token(found)


def actor(request: HTTPConnection, said: str) -> str:
    """The actor for the alert book: who has signed in, or without access control who they said."""
    found = identity(request)
    return said if found is None else found.name


def is_stranger(request: HTTPConnection) -> bool:
    """Whether access control is on, nobody has signed in, and they are not on this machine.

    A proxy on this machine passes the name on that its client asked for, so both must be of
    this machine: the address and the name.
    """
    if _KEY not in request.scope or request.scope[_KEY] is not None:
        return False
    return not (
        is_loopback(address(request.scope)) and is_loopback(request.headers.get("host", ""))
    )


def may_act(request: HTTPConnection) -> bool:
    """Whether the page should offer what dispatchers do."""
    found = identity(request)
    return found is None or may(found.role, "dispatcher")


def add_to_record(request: HTTPConnection, **detail: object) -> None:
    """Say in the audit record what a change did; the gate writes the row."""
    request.scope.setdefault(_DETAIL, {}).update(detail)


async def leave_out_of_record(request: Request) -> None:
    """Say that the gate records nothing of a request that could change something.

    It has changed nothing, or its change has a row of its own.
    """
    request.scope[_DETAIL] = None


def recorded(scope: Scope) -> dict[str, object] | None:
    """Details for the audit record from :func:`add_to_record`; None to record nothing."""
    return cast(dict[str, object] | None, scope.get(_DETAIL, {}))


def address(scope: Scope) -> str:
    """Address of the client; behind a trusted proxy, the one that the proxy has passed on."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def is_secure(scope: Scope) -> bool:
    """Whether the request came over TLS, to this server or to a proxy that it trusts."""
    return scope.get("scheme") in ("https", "wss")


def session_secret(request: HTTPConnection) -> str | None:
    """The secret that the cookie of a session holds, or None."""
    return request.cookies.get(_cookie(request)) or None


def set_session(request: HTTPConnection, response: Response, secret: str, max_age_s: int) -> None:
    """Set the session's cookie; an empty secret and age 0 [s] take it away.

    Lax, not Strict: a link to an alert in a chat must not ask to sign in again. What changes
    something needs a CSRF token besides.
    """
    response.set_cookie(
        _cookie(request),
        secret,
        max_age=max_age_s,
        secure=is_secure(request.scope),
        httponly=True,
        samesite="lax",
    )


def _cookie(request: HTTPConnection) -> str:
    return SECURE_COOKIE if is_secure(request.scope) else COOKIE
