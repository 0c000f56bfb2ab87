"""How long tests wait for what must come, and the one way in which they wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 120.0
"""Longer than a busy machine ever takes [s]: being slow is no failure, never coming is one."""

LOOK_EVERY_S = 0.01
"""How often a condition is looked at [s]."""


def until(
    look: Callable[[], T],
    timeout_s: float = PATIENCE_S,
    *,
    pause: Callable[[float], object] = time.sleep,
    every_s: float = LOOK_EVERY_S,
    explain: Callable[[], str] = str,
) -> T:
    """Look until what is seen is true, and return it.

    Parameters
    ----------
    look : callable
        Sees something that happens in another thread, process or page.
    timeout_s : float
        When to give up [s].
    pause : callable
        How to let some seconds pass; a page of Playwright has a way of its own.
    every_s : float
        How long to pause between two looks [s].
    explain : callable
        What to say in addition when it never comes.

    Raises
    ------
    AssertionError
        It did not come in time.
    """
    give_up = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > give_up:
            raise AssertionError(f"{_name(look)} did not come true; last: {seen!r}\n{explain()}")
        pause(every_s)
    return seen


async def until_async(look: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
    """Look until what is seen is true, and return it; let other tasks run meanwhile."""
    give_up = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > give_up:
            raise AssertionError(f"{_name(look)} did not come true; last: {seen!r}")
        await asyncio.sleep(LOOK_EVERY_S)
    return seen


def _name(look: Callable[[], object]) -> str:
    """Name and line of a condition, so that a failure says which one it was."""
    code = getattr(look, "__code__", None)
    name = getattr(look, "__qualname__", repr(look))
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"
