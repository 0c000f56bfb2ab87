"""Free ports, and what to say when one cannot be had."""

from __future__ import annotations

import errno
import socket

from patrol.errors import Unreachable

TRIES = 50
HIGHEST = 65_535


def url(host: str, port: int) -> str:
    """Where a browser finds what listens there."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def is_free(host: str, port: int) -> bool:
    """Whether one can listen there now."""
    return not trouble(host, port)


def trouble(host: str, port: int) -> str:
    """Why one cannot listen there now, and what to do; empty when one can."""
    try:
        with _trial(host) as trial:
            trial.bind((host, port))
    except OSError as exc:
        where = f"port {port} on {host}"
        if exc.errno == errno.EADDRINUSE:
            return f"{where} is taken: stop what listens there, or choose another port"
        if exc.errno == errno.EACCES:
            return f"{where} needs more rights than this user has; choose one from 1024 on"
        return f"nothing can listen on {where}: {exc.strerror or exc}"
    return ""


def any_free(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with _trial(host) as trial:
        trial.bind((host, 0))
        return int(trial.getsockname()[1])


def wanted(host: str, port: int) -> int:
    """`port`, which somebody asked for; 0 means any.

    Raises
    ------
    Unreachable
        One cannot listen there.
    """
    if why := trouble(host, port):
        raise Unreachable(why)
    return port or any_free(host)


def next_free(host: str, port: int) -> int:
    """The first free port from `port` on, for when none was asked for.

    Raises
    ------
    Unreachable
        None of the next 50 can be had.
    """
    last = min(port + TRIES - 1, HIGHEST)
    for candidate in range(port, last + 1):
        if not trouble(host, candidate):
            return candidate
    raise Unreachable(f"none of the ports {port} to {last} on {host} is free: choose one")


def _trial(host: str) -> socket.socket:
    """A socket that may listen where another just has."""
    trial = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return trial
