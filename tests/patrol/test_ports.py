"""Free ports are found, and a taken one is named."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from patrol import ports
from patrol.errors import Unreachable

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_somebody_listens_on_is_not_free(taken: int) -> None:
    """It is free again when they are gone."""
    assert not ports.is_free(HOST, taken)
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    assert ports.is_free(HOST, port)


def test_trying_a_port_does_not_take_it() -> None:
    """What was found free can be listened on, at once."""
    port = ports.any_free()
    assert ports.is_free(HOST, port)
    with socket.create_server((HOST, port)):
        assert not ports.is_free(HOST, port)


def test_a_wanted_port_is_given_or_refused_by_name(taken: int) -> None:
    """Who asks for a port gets that one, or learns which it was and what to do."""
    port = ports.any_free()
    assert ports.wanted(HOST, port) == port
    with pytest.raises(Unreachable, match=f"port {taken} on 127.0.0.1 is taken: stop what"):
        ports.wanted(HOST, taken)


def test_port_zero_is_any() -> None:
    """As everywhere."""
    assert ports.is_free(HOST, ports.wanted(HOST, 0))


def test_the_next_free_one_is_after_those_taken(taken: int) -> None:
    """When none was asked for, the first that is free from there on."""
    found = ports.next_free(HOST, taken)
    assert taken < found < taken + ports.TRIES
    assert ports.next_free(HOST, found) == found


def test_a_port_of_the_other_protocol_version() -> None:
    """IPv6 addresses are tried as such, where the machine has them."""
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with server:
        assert not ports.is_free("::1", server.getsockname()[1])
