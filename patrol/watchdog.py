"""What the station tells systemd, by the protocol of sd_notify(3)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)


def tell(state: str) -> None:
    """Send a state such as ``READY=1``; without systemd, or while it does not listen, to nobody."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(state.encode(), address.replace("@", "\0", 1))


async def feed(stuck: Callable[[], str]) -> None:
    """Feed systemd's watchdog, if there is one, for as long as nothing is `stuck`."""
    limit_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
    tell("READY=1")
    told = ""
    while limit_s:
        if why := stuck():
            if why != told:
                log.error("systemd's watchdog is not fed any more", why=why)
            tell(f"STATUS={why}")
        else:
            tell("WATCHDOG=1")
        told = why
        await asyncio.sleep(limit_s / 3)
