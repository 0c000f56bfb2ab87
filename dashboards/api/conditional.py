"""Answers that the caller still has are not sent again: an entity tag for each, and 304.

The tag is of the content but for the instant `at` for which it holds, by which it begins: an
answer is the same while nothing else in it changes. It is weak, as bytes differ by compression.
"""

from __future__ import annotations

import re
import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_AT = re.compile(rb'\{"at":"[^"]*"')


def names(header: str, etag: str) -> bool:
    """Whether If-Match or If-None-Match names an entity tag (RFC 9110, 13.1).

    Weak tags count as strong ones, and quotes may be missing, as in the `version` of an answer.
    """
    named = {_opaque(each) for each in header.split(",")}
    return not named.isdisjoint(("*", _opaque(etag)))


def _opaque(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')


class Conditional:
    """ASGI middleware that adds ETag and Cache-Control to what is read, and answers 304.

    An answer may be kept by who asked, and asked for again before it is used; one that says how
    it may be kept itself, as one that must not, is left alone but for the tag it brings.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        wanted = Headers(scope=scope).get("if-none-match")
        start: Message | None = None

        async def sent(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                kept = Headers(raw=message["headers"]).get("cache-control", "")
                if message["status"] == 200 and "no-store" not in kept:
                    start = message
                    return
            elif start is not None:
                message, first = self._tagged(start, message, wanted)
                start = None
                await send(first)
            await send(message)

        await self.app(scope, receive, sent)

    def _tagged(self, start: Message, body: Message, wanted: str | None) -> tuple[Message, Message]:
        """The body and start of an answer, which has its tag, or is a 304 without a body."""
        headers = MutableHeaders(raw=start["headers"])
        headers.setdefault("Cache-Control", "private, no-cache")
        if not body.get("more_body"):
            content = body.get("body", b"")
            at = _AT.match(content)
            rest = memoryview(content)[at.end() if at else 0 :]
            headers.setdefault("ETag", f'W/"{zlib.crc32(rest):08x}"')
        if wanted is None or "etag" not in headers or not names(wanted, headers["etag"]):
            return body, start
        del headers["content-length"]
        return {**body, "body": b""}, {**start, "status": 304}
