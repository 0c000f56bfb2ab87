"""Until there are tokens, only this machine may ask.

The server listens on loopback, but a browser on this machine can be told by any web page to
send requests there: a name that resolves to 127.0.0.1 (DNS rebinding), or a plain POST across
origins. The Host and Origin headers give both away. A page that shows this one in a frame, to
have its buttons pressed unawares, is told by a header that it may not.
"""

from __future__ import annotations

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.api.problems import ProblemAnswer

Refusal = Literal["host_not_loopback", "cross_origin"]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = (
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
_DETAILS: dict[Refusal, str] = {
    "host_not_loopback": "this server answers only to localhost, 127.0.0.1 and [::1]",
    "cross_origin": "a page of another origin may not change anything here",
}


def is_loopback(host: str) -> bool:
    """Whether `host`, a Host header's value with or without port, names this machine."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if not name:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def refusal(
    method: str, host: str, origin: str | None, fetch_site: str | None, *, websocket: bool = False
) -> Refusal | None:
    """Why a request is refused, or None.

    Parameters
    ----------
    method : str
        HTTP method.
    host : str
        The Host header.
    origin, fetch_site : str, optional
        The Origin and Sec-Fetch-Site headers. Programs that are not browsers send neither.
    websocket : bool
        A handshake of a web socket, which browsers send across origins without asking.
    """
    if not is_loopback(host):
        return "host_not_loopback"
    if method in _SAFE_METHODS and not websocket:
        return None
    if fetch_site == "cross-site" or (origin is not None and not _same(origin, host)):
        return "cross_origin"
    return None


def _guarded(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_HEADERS]}
        await send(message)

    return guarded


def _same(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


class LoopbackOnly:
    """ASGI middleware that refuses what :func:`refusal` refuses, with 403 and the reason."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        websocket = scope["type"] == "websocket"
        reason = refusal(
            scope.get("method", "GET"),
            headers.get(b"host", ""),
            headers.get(b"origin"),
            headers.get(b"sec-fetch-site"),
            websocket=websocket,
        )
        if reason is None:
            await self.app(scope, receive, _guarded(send))
        elif websocket:
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            await ProblemAnswer(403, reason, _DETAILS[reason])(scope, receive, send)
