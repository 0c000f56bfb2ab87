"""Free ports, and what to say when one is taken."""

from __future__ import annotations

import socket

from patrol.errors import Unreachable

TRIES = 50


def is_free(host: str, port: int) -> bool:
    """Whether one can listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def any_free(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with socket.socket() as trial:
        trial.bind((host, 0))
        return int(trial.getsockname()[1])


def wanted(host: str, port: int) -> int:
    """`port`, which somebody asked for.

    Raises
    ------
    Unreachable
        It is taken.
    """
    if port == 0:
        return any_free(host)
    if not is_free(host, port):
        raise Unreachable(
            f"port {port} on {host} is taken: stop what listens there, or choose another port"
        )
    return port


def next_free(host: str, port: int) -> int:
    """The first free port from `port` on, for when none was asked for.

    Raises
    ------
    Unreachable
        All of the next 50 are taken.
    """
    for candidate in range(port, port + TRIES):
        if is_free(host, candidate):
            return candidate
    raise Unreachable(f"ports {port} to {port + TRIES - 1} on {host} are all taken")
