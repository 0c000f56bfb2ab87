"""Under which names this server answers, and to whose pages.

A browser can be told by any web page to send requests here: by a name that resolves to this
server's address (DNS rebinding), or a plain POST across origins. The Host and Origin headers
give both away. A page that shows this one in a frame, to have its buttons pressed unawares, is
told by a header that it may not.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards.api.problems import ProblemAnswer

Refusal = Literal["host_not_loopback", "host_unknown", "cross_origin"]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_DETAILS: dict[Refusal, str] = {
    "host_not_loopback": "this server answers only to localhost, 127.0.0.1 and [::1]",
    "host_unknown": "this server does not answer to this name; add it to http.public_hosts",
    "cross_origin": "a page of another origin may not change anything here",
}


@dataclass(frozen=True, slots=True)
class Hosts:
    """What a Host header may say, besides the names of this machine."""

    public: frozenset[str] = frozenset()  # names in small letters, without port
    beyond: bool = False
    """Whether the server listens on an address that other machines reach. Then any address, as
    opposed to a name, is right too: a stranger's page can own a name, not an address."""
    origins: frozenset[str] = frozenset()
    """Origins whose pages may read what a token of theirs may, as ``https://other.example``, and
    change it; or ``*``."""

    def refusal(self, host: str) -> Refusal | None:
        """Why a Host header is refused, or None."""
        if is_loopback(host):
            return None
        name = _name(host)
        if name in self.public or (self.beyond and _address(name) is not None):
            return None
        return "host_unknown" if self.public or self.beyond else "host_not_loopback"


LOOPBACK = Hosts()


def is_loopback(host: str) -> bool:
    """Whether `host`, a Host header's value with or without port, names this machine."""
    name = _name(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and address.is_loopback


def _name(host: str) -> str:
    """The name or address in a Host header, in small letters; empty when there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def refusal(
    method: str,
    host: str,
    origin: str | None,
    fetch_site: str | None,
    hosts: Hosts = LOOPBACK,
    token: bool = False,
) -> Refusal | None:
    """Why a request is refused, by its Host, Origin and Sec-Fetch-Site headers, or None.

    Whether it brings a `token` matters for the origins that are let in: no browser adds one by
    itself, as it does a cookie. Programs that are not browsers send neither of the last two.
    """
    unwanted = hosts.refusal(host)
    if unwanted is not None:
        return unwanted
    if method in _SAFE_METHODS or (token and {origin, "*"} & hosts.origins):
        return None
    if fetch_site == "cross-site" or (origin is not None and not _same(origin, host)):
        return "cross_origin"
    return None


def _same(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


class KnownHosts:
    """ASGI middleware that refuses what :func:`refusal` refuses, with 403 and the reason.

    It closes every web socket: no route has one, and browsers open them across origins unasked.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts = LOOPBACK) -> None:
        self.app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "no_web_sockets"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            # A proxy in front may have read another end of the body than this server does.
            detail = "a body has a Content-Length or a Transfer-Encoding, and not both"
            answer = ProblemAnswer(400, "malformed_request", detail, {"Connection": "close"})
            await answer(scope, receive, send)
            return
        reason = refusal(
            scope["method"],
            headers.get("host", ""),
            headers.get("origin"),
            headers.get("sec-fetch-site"),
            self._hosts,
            "authorization" in headers,
        )
        if reason is None:
            await self.app(scope, receive, send)
        else:
            await ProblemAnswer(403, reason, _DETAILS[reason])(scope, receive, send)
