"""The web server takes neither the process nor its signals; free ports are found."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from fastapi import FastAPI

from patrol.config.sections import Http
from patrol.errors import Unreachable
from patrol.web import (
    TRIES,
    WebServer,
    any_free_port,
    next_free_port,
    wanted_port,
    why_not_free,
)
from tests.patience import until_async
from tests.servers import free_port

HOST = "127.0.0.1"


def server(port: int) -> WebServer:
    """A server of nothing."""
    return WebServer(FastAPI(), HOST, port, Http())


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
        web = server(port := any_free_port())
        running = asyncio.create_task(web.run_until_told())
        await until_async(lambda: web.started or running.done())
        assert web.started
        assert why_not_free("127.0.0.1", port)
        assert signal.getsignal(signal.SIGTERM) is before
        web.should_exit = True
        await asyncio.wait_for(running, 5)

    asyncio.run(main())


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_somebody_listens_on_is_not_free(taken: int) -> None:
    """It is free again when they are gone."""
    assert why_not_free(HOST, taken)
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    assert not why_not_free(HOST, port)


def test_trying_a_port_does_not_take_it() -> None:
    """What was found free can be listened on, at once."""
    port = any_free_port()
    assert not why_not_free(HOST, port)
    with socket.create_server((HOST, port)):
        assert why_not_free(HOST, port)


def test_a_wanted_port_is_given_or_refused_by_name(taken: int) -> None:
    """Who asks for a port gets that one, or learns which it was and what to do."""
    port = any_free_port()
    assert wanted_port(HOST, port) == port
    with pytest.raises(Unreachable, match=f"port {taken} on 127.0.0.1 is taken: stop what"):
        wanted_port(HOST, taken)


def test_port_zero_is_any() -> None:
    """As everywhere."""
    assert not why_not_free(HOST, wanted_port(HOST, 0))


def test_the_next_free_one_is_after_those_taken(taken: int) -> None:
    """When none was asked for, the first that is free from there on."""
    found = next_free_port(HOST, taken)
    assert taken < found < taken + TRIES
    assert next_free_port(HOST, found) == found


def test_a_port_of_the_other_protocol_version() -> None:
    """IPv6 addresses are tried as such; where the machine has none, that is the reason."""
    port = free_port()
    with ExitStack() as held:
        with suppress(OSError):
            held.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6))
        assert why_not_free("::1", port)
