"""Parts of the station that are started again when they fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
STEADY_S = 60.0
"""A part that ran so long was well: the next waiting time is short again [s]."""


@dataclass
class Parts:
    """Runs parts, and knows which of them have failed.

    Only here is caught what nobody foresaw: it is logged, its trouble is told, and the part is
    started again after a while that doubles.

    Parameters
    ----------
    first_wait_s, steady_s : float
        The first waiting time, and after how long a part counts as well again [s].
    """

    first_wait_s: float = FIRST_WAIT_S
    steady_s: float = STEADY_S
    _trouble: dict[str, str] = field(default_factory=dict)

    def trouble(self, name: str) -> str:
        """Why a part does not run; empty when it does."""
        return self._trouble.get(name, "")

    async def run(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a part until it returns."""
        wait_s = self.first_wait_s
        while True:
            began_s = time.monotonic()
            try:
                await run()
                return
            except Exception as exc:
                if time.monotonic() - began_s >= self.steady_s:
                    wait_s = self.first_wait_s
                log.exception("part failed, starting it again", part=name, in_s=wait_s)
                self._trouble[name] = f"{type(exc).__name__}: {exc}"
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            del self._trouble[name]
