"""The web server as a part: it takes neither the process nor its signals."""

from __future__ import annotations

import asyncio
import signal
import socket

import pytest
import uvicorn
from fastapi import FastAPI

from patrol import ports
from patrol.errors import Unreachable
from patrol.web import WebServer


def server(port: int) -> WebServer:
    """A server of nothing."""
    return WebServer(uvicorn.Config(FastAPI(), port=port, log_level="critical"))


def test_a_port_that_was_taken_in_the_last_moment() -> None:
    """It is an error that says which, and not the end of the process."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(Unreachable, match=f"cannot listen on port {port} of 127.0.0.1: stop"):
            asyncio.run(server(port).run_until_told())


def test_signals_stay_with_whoever_runs_it() -> None:
    """It ends when it is told, and a signal is not how."""

    async def main() -> None:
        before = signal.getsignal(signal.SIGTERM)
        web = server(port := ports.any_free())
        running = asyncio.create_task(web.run_until_told())
        while not web.started:
            assert not running.done()
            await asyncio.sleep(0.01)
        assert not ports.is_free("127.0.0.1", port)
        assert signal.getsignal(signal.SIGTERM) is before
        web.should_exit = True
        await asyncio.wait_for(running, 5)

    asyncio.run(main())
