"""Points at which long work may be ended: between files, bikes or days."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

ASK: ContextVar[Callable[[], None] | None] = ContextVar("ASK", default=None)
"""What is asked at each point, in the thread or task that has set it; it raises to end the work."""


def checkpoint() -> None:
    """Go on, unless whoever began this work has ended it: then raise what they want raised."""
    if (ask := ASK.get()) is not None:
        ask()
