"""Every request and web socket passes here: who is it, may they, and what did they change?

In this order:

    1  who      a bearer token, else the session of the cookie        401 unless nobody is needed
    2  forged?  a cookie alone changes nothing: a CSRF token as well  403
    3  may      the role that stands at the route                     403; 404 when none does
    4  done     a change that succeeded is a row in the audit record

A stream or socket that is open when its session ends is closed within two seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.access.access import Access
from dashboards.access.credentials import csrf_token, same
from dashboards.access.errors import AccessRefused, AccessUnavailable, AccessUnreadable, Refusal
from dashboards.access.roles import Identity
from dashboards.api import caller
from dashboards.api.problems import ProblemAnswer, access_refused, access_unavailable
from dashboards.api.routes import API, SAFE, Needs, Routes, Wanted

log = logging.getLogger(__name__)

CSRF_HEADER = b"x-csrf-token"
RECHECK_S = 2.0


def forged(identity: Identity, method: str, token: str | None) -> Refusal | None:
    """Why a request may not be what its user meant, or None.

    Only a browser sends a credential by itself, so only sessions are asked. Another site's page
    can neither read the token nor set the header.
    """
    if identity.kind != "session" or method in SAFE:
        return None
    if token is None:
        return "csrf_token_missing"
    return None if same(token, csrf_token(identity.secret)) else "csrf_token_wrong"


class Gate:
    """ASGI middleware over the whole application.

    Parameters
    ----------
    app : ASGI application
        All that is behind it.
    access : Access
        Who may.
    routes : sequence of BaseRoute
        The routes of the application, with their roles.
    recheck_s : float
        How often a stream or socket that is open is asked again [s].
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        routes: Sequence[BaseRoute],
        recheck_s: float = RECHECK_S,
    ) -> None:
        self.app = app
        self._routes = Routes(routes)
        self._recheck_s = recheck_s
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        method = scope.get("method", "GET")
        want = self._routes.wanted(method, scope["path"])
        try:
            identity = self._admit(scope, method, want)
        except AccessRefused as exc:
            await self._refuse(scope, receive, send, want, exc)
            return
        except (AccessUnavailable, AccessUnreadable) as exc:
            log.error("who asks cannot be told: %s", exc)
            await _answer(scope, receive, send, access_unavailable())
            return
        caller.remember(scope, identity)
        if identity is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send, identity)
        else:
            await self._request(scope, receive, send, identity, method, want)

    def _admit(self, scope: Scope, method: str, want: Wanted) -> Identity | None:
        """Who may pass; None on a route that needs nobody."""
        if want.role == "nobody":
            return self._maybe(scope)
        identity = self._who(scope)
        headers = dict(scope["headers"])
        token = headers.get(CSRF_HEADER)
        reason = forged(identity, method, None if token is None else token.decode("latin-1"))
        if reason is not None and scope["type"] == "http":
            raise AccessRefused(
                reason,
                "a change by cookie needs the header X-CSRF-Token with csrf_token of /api/v1/me; "
                "load the page again",
            )
        if want.kind != "unlisted":
            Needs(want.role).check(identity)
        return identity

    def _who(self, scope: Scope) -> Identity:
        headers = dict(scope["headers"])
        authorization = headers.get(b"authorization")
        # A request that brings a token is judged by it, whatever cookie comes along.
        if authorization is not None and scope["path"].startswith(("/api/", "/metrics")):
            scheme, _, token = authorization.decode("latin-1").partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise AccessRefused(
                    "token_unknown", "write the header as Authorization: Bearer TOKEN"
                )
            return self._access.token(token.strip())
        secret = caller.session_secret(HTTPConnection(scope))
        if secret is None:
            raise AccessRefused("not_signed_in", "sign in, or send Authorization: Bearer TOKEN")
        return self._access.session(secret)

    def _maybe(self, scope: Scope) -> Identity | None:
        try:
            return self._who(scope)
        except AccessRefused:
            return None

    async def _request(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        identity: Identity,
        method: str,
        want: Wanted,
    ) -> None:
        if want.kind == "unlisted":
            detail = f"no route {scope['path']}; {API}/openapi.json lists them"
            await ProblemAnswer(404, "unknown_route", detail)(scope, receive, send)
            return
        over = self._watch(identity)
        ended = complete = False

        async def sent(message: Message) -> None:
            nonlocal complete
            if message["type"] == "http.response.start":
                self._record(scope, identity, method, want, message["status"])
                headers = message.setdefault("headers", [])
                # No shared cache may keep what only some may see.
                if not any(name.lower() == b"cache-control" for name, _ in headers):
                    message = {**message, "headers": [*headers, (b"cache-control", b"private")]}
            else:
                complete = not message.get("more_body", False)
            await send(message)

        async def received() -> Message:
            nonlocal ended
            message = await self._next(receive, over)
            ended = message is None
            return message or {"type": "http.disconnect"}

        await self.app(scope, received, sent)
        if ended and not complete:
            # An end that the browser understands: it comes back, and is told 401.
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _socket(self, scope: Scope, receive: Receive, send: Send, identity: Identity) -> None:
        over = self._watch(identity)
        ended = False

        async def sent(message: Message) -> None:
            if not ended:
                await send(message)

        async def received() -> Message:
            nonlocal ended
            message = await self._next(receive, over)
            if message is not None:
                return message
            if not ended:
                await send({"type": "websocket.close", "code": 1008, "reason": "session_over"})
            ended = True
            return {"type": "websocket.disconnect", "code": 1008, "reason": "session_over"}

        await self.app(scope, received, sent)

    async def _next(self, receive: Receive, over: Callable[[], bool]) -> Message | None:
        """What comes next from the client; None once its session is over."""
        waiting = asyncio.ensure_future(receive())
        try:
            while not over():
                if (await asyncio.wait({waiting}, timeout=self._recheck_s))[0]:
                    return waiting.result()
        finally:
            waiting.cancel()
        return None

    def _watch(self, identity: Identity) -> Callable[[], bool]:
        """A question that may be asked often: has this session ended, or changed its role?"""
        asked_s = time.monotonic()

        def over() -> bool:
            nonlocal asked_s
            if identity.kind != "session" or time.monotonic() - asked_s < self._recheck_s:
                return False
            asked_s = time.monotonic()
            try:
                return self._access.session(identity.secret).role != identity.role
            except AccessRefused:
                return True
            except (AccessUnavailable, AccessUnreadable):
                return False  # a full disk must not blank every screen

        return over

    def _record(
        self, scope: Scope, identity: Identity, method: str, want: Wanted, status: int
    ) -> None:
        if want.kind != "api" or method in SAFE or status >= 400:
            return
        detail = caller.recorded(scope)
        if detail is None:
            return
        by = self._access.by(identity.name, caller.address(scope))
        subject = scope["path"].removeprefix(API)
        try:
            self._access.record(by, f"{method} {want.route}", subject, detail)
        except (AccessUnavailable, AccessUnreadable) as exc:
            # It is done and, for an alert, in the book with its actor; it cannot be undone here.
            log.error("not in the audit record: %s %s by %s: %s", method, subject, by.actor, exc)

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, want: Wanted, exc: AccessRefused
    ) -> None:
        answer: Response = access_refused(exc)
        headers = dict(scope["headers"])
        navigates = b"text/html" in headers.get(b"accept", b"")
        if (
            answer.status_code == 401
            and scope["type"] == "http"
            and want.kind == "page"
            and scope.get("method") == "GET"
            and navigates
        ):
            way = scope["path"] + (
                f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
            )
            door = "/login" if self._access.has_users() else "/setup"
            answer = RedirectResponse(f"{door}?next={quote(way, safe='')}", 303)
            answer.headers["Cache-Control"] = "no-store"
        await _answer(scope, receive, send, answer)


async def _answer(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
    else:
        await answer(scope, receive, send)
