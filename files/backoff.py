"""Waiting times before the next try."""

from __future__ import annotations

import random


class Backoff:
    """Waiting times that double, with jitter, up to a limit.

    The jitter keeps many clients of one broker from coming back in the same instant.

    They begin at `first_s`, before jitter, which is the "equal jitter" of M. Brooker, Exponential
    Backoff and Jitter, AWS Architecture Blog, 2015.
    """

    def __init__(
        self, first_s: float = 0.25, limit_s: float = 30.0, rng: random.Random | None = None
    ) -> None:
        self._first_s = first_s
        self._limit_s = limit_s
        self._rng = rng or random.Random()
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the next waiting time: between half of it and all of it [s]."""
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, self._limit_s)
        return wait_s * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start again from the first waiting time."""
        self._next_s = self._first_s
