"""Every request passes here: who is it, may they, and what did they change?

In this order:

    1  who      a bearer token, else the session of the cookie        401 unless nobody is needed
    2  forged?  a cookie alone changes nothing: a CSRF token as well  403
    3  may      the role that stands at the route                     403; 404 when none does
    4  done     a change that succeeded is a row in the audit record

A stream that is open when its session ends is closed within two seconds.
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
from dashboards.access.roles import AccessFailed, AccessRefused, Identity, Refusal
from dashboards.api import caller
from dashboards.api.problems import ProblemAnswer, access_refused, access_unavailable
from dashboards.api.routes import API, SAFE, Needs, Routes, Wanted

log = logging.getLogger(__name__)

CSRF_HEADER = "X-CSRF-Token"
RECHECK_S = 2.0
STRANGERS_BYTES = 16 << 10


def forged(identity: Identity, method: str, token: str | None) -> Refusal | None:
    """Why a request may not be what its user meant, or None.

    Only a browser sends a credential by itself, so only sessions are asked. Another site's page
    can neither read the token nor set the header.
    """
    expected = csrf_token(identity)
    if expected is None or method in SAFE:
        return None
    if token is None:
        return "csrf_token_missing"
    return None if same(token, expected) else "csrf_token_wrong"


def _is_large(request: HTTPConnection) -> bool:
    """Whether a request has more of a body than a name and a password, or does not say."""
    length = int(request.headers.get("content-length", "0"))
    return length > STRANGERS_BYTES or "transfer-encoding" in request.headers


class Gate:
    """ASGI middleware over the whole application, whose `routes` have their roles.

    The session of an open stream is checked again every `recheck_s` [s].
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
        if scope["type"] != "http":  # web sockets end at KnownHosts
            await self.app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        want = self._routes.wanted(scope["method"], scope["path"])
        try:
            identity = self._admit(request, want)
        except AccessRefused as exc:
            await self._refusal(request, want, exc)(scope, receive, send)
            return
        except AccessFailed as exc:
            log.error("who asks cannot be told: %s", exc)
            await access_unavailable()(scope, receive, send)
            return
        caller.remember(scope, identity)
        if identity is None and _is_large(request):
            detail = f"without a session or token a body has {STRANGERS_BYTES} bytes at most"
            answer = ProblemAnswer(413, "body_too_large", detail, {"Connection": "close"})
            await answer(scope, receive, send)
        elif identity is None:
            await self.app(scope, receive, send)
        else:
            await self._request(scope, receive, send, identity, want)

    def _admit(self, request: HTTPConnection, want: Wanted) -> Identity | None:
        """Return who may pass; None on a route that needs nobody."""
        if want.role == "nobody":
            try:
                return self._who(request)
            except AccessRefused:
                return None
        identity = self._who(request)
        reason = forged(identity, request.scope["method"], request.headers.get(CSRF_HEADER))
        if reason is not None:
            raise AccessRefused(
                reason,
                "a change by cookie needs the header X-CSRF-Token with csrf_token of /api/v1/me; "
                "load the page again",
            )
        if want.kind != "unlisted":
            Needs(want.role).check(identity)
        return identity

    def _who(self, request: HTTPConnection) -> Identity:
        authorization = request.headers.get("authorization")
        # A request that brings a token is judged by it, whatever cookie comes along.
        if authorization is not None and request.scope["path"].startswith(("/api/", "/metrics")):
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise AccessRefused(
                    "token_unknown", "write the header as Authorization: Bearer TOKEN"
                )
            return self._access.token(token.strip())
        secret = caller.session_secret(request)
        if secret is None:
            raise AccessRefused("not_signed_in", "sign in, or send Authorization: Bearer TOKEN")
        return self._access.session(secret)

    async def _request(
        self, scope: Scope, receive: Receive, send: Send, identity: Identity, want: Wanted
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
                self._record(scope, identity, want, message["status"])
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
            except AccessFailed:
                return False  # a full disk must not blank every screen

        return over

    def _record(self, scope: Scope, identity: Identity, want: Wanted, status: int) -> None:
        method = scope["method"]
        if want.kind != "api" or method in SAFE or status >= 400:
            return
        detail = caller.recorded(scope)
        if detail is None:
            return
        by = self._access.by(identity.name, caller.address(scope))
        subject = scope["path"].removeprefix(API)
        try:
            self._access.record(by, f"{method} {want.route}", subject, detail)
        except AccessFailed as exc:
            # It is done and, for an alert, in the book with its actor; it cannot be undone here.
            log.error("not in the audit record: %s %s by %s: %s", method, subject, by.actor, exc)

    def _refusal(self, request: HTTPConnection, want: Wanted, exc: AccessRefused) -> Response:
        """The answer to a refused request; a browser that opens a page is led to the door."""
        answer = access_refused(exc)
        opens = want.kind == "page" and request.scope["method"] == "GET"
        if opens and answer.status_code == 401 and "text/html" in request.headers.get("accept", ""):
            path, query = request.scope["path"], request.scope["query_string"].decode()
            way = quote(f"{path}?{query}" if query else path, safe="")
            door = "/login" if self._access.has_users() else "/setup"
            return RedirectResponse(f"{door}?next={way}", 303, {"Cache-Control": "no-store"})
        return answer
