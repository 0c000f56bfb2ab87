"""Connections that stay open pass the gate, and end with the session that opened them."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp

from dashboards.api.gate import Gate
from dashboards.app import create_app
from tests.dashboards.access.people import STATIC, People, boss
from tests.dashboards.conftest import ORIGIN, Api
from tests.dashboards.district import District


def listening(app: ASGIApp, path: str, kind: str, headers: dict[str, str]) -> Any:
    """An ASGI conversation: a connection that stays open, and what it was sent."""
    sent: list[dict[str, Any]] = []
    answered = asyncio.Event()
    arrived = asyncio.Queue[dict[str, Any]]()
    scope = {
        "type": kind, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), *((k.lower().encode(), v.encode())
                    for k, v in headers.items())],
        "scheme": "http" if kind == "http" else "ws", "client": ("127.0.0.1", 5), "server": None,
        "http_version": "1.1", "asgi": {"version": "3.0", "spec_version": "2.3"}, "state": {},
    }  # fmt: skip
    if kind == "http":
        scope["method"] = "GET"
        arrived.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    else:
        scope["subprotocols"] = []
        arrived.put_nowait({"type": "websocket.connect"})

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 3:  # the status, the stream's greeting, the whole state
            answered.set()

    return app(scope, arrived.get, send), sent, answered


def test_a_stream_needs_a_session(people: People) -> None:
    """401 before anything is sent."""
    conversation, sent, _ = listening(people.app, "/api/v1/stream", "http", {})
    asyncio.run(asyncio.wait_for(conversation, 5))
    assert sent[0]["status"] == 401


def test_no_web_socket_is_opened(people: People, api: Api) -> None:
    """No route has one, so none is accepted: from nobody, from an administrator, in the demo."""
    own = {"Cookie": people.cookies["ada"], "Origin": ORIGIN}
    cross = own | {"Origin": "http://evil.example"}
    token = {"Authorization": f"Bearer {STATIC}"}
    for app in (people.app, api.app):
        for headers in ({}, token, {"Cookie": "zhixun_session=x"}, own, cross):
            conversation, sent, _ = listening(app, "/api/v1/stream", "websocket", headers)
            asyncio.run(asyncio.wait_for(conversation, 5))
            assert [message["type"] for message in sent] == ["websocket.close"]


def test_a_stream_ends_with_its_session(people: People, district: District) -> None:
    """Who is disabled sees no more, although the stream was open and nothing was to be said."""
    inner = create_app(district.sources())
    app = Gate(inner, people.access, inner.routes, recheck_s=0.05)

    async def listen() -> list[dict[str, Any]]:
        headers = {"Cookie": people.cookies["vera"]}
        conversation, sent, answered = listening(app, "/api/v1/stream", "http", headers)
        task = asyncio.create_task(conversation)
        await answered.wait()
        people.access.change_user(boss(people.access), "vera", disabled=True)
        await asyncio.wait_for(task, 10)
        return sent

    sent = asyncio.run(listen())
    assert sent[0]["status"] == 200
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
