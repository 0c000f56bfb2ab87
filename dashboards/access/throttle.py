"""How often one may try to sign in: buckets of attempts that refill with time.

A bucket for the user's name, one for the address and one for everybody. An attempt takes one
from each, before the password is looked at; only a right one gives back what it took. What
bounds the memory is that a full bucket is no bucket.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from typing import NamedTuple

from dashboards.access.roles import Limited

MAX_BUCKETS = 10_000


class Allowance(NamedTuple):
    """`burst` attempts at once, and one more every `refill_s` [s]."""

    burst: int
    refill_s: float


class Allowances(NamedTuple):
    """Allowances of each kind of bucket."""

    user: Allowance = Allowance(10, 30.0)
    address: Allowance = Allowance(20, 6.0)  # an office shares one
    everybody: Allowance = Allowance(30, 0.5)  # argon2 must not take the machine from the bikes


class _Bucket(NamedTuple):
    level: float
    at_ms: int


class Wait(NamedTuple):
    """Not now: why, and for how long [s]. `first` is the first time since it was allowed."""

    reason: Limited
    retry_after_s: int
    first: bool


class Throttle:
    """Counts attempts; safe to use from several threads."""

    def __init__(self, allowances: Allowances | None = None) -> None:
        chosen = allowances or Allowances()
        self._allowances: dict[Limited, Allowance] = {
            "too_many_attempts_address": chosen.address,
            "too_many_attempts_user": chosen.user,
            "too_many_attempts": chosen.everybody,
        }
        self._buckets: dict[tuple[Limited, str], _Bucket] = {}
        self._refusing: set[tuple[Limited, str]] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def attempt(self, user: str, address: str, now_ms: int) -> Wait | None:
        """Take one attempt; None when there was one in every bucket, else nothing is taken.

        The time is one clock's [ms]; one that was set back fills no bucket and empties none.
        """
        with self._lock:
            keys = self._keys(user, address)
            levels = [self._level(key, now_ms) for key in keys]
            for key, level in zip(keys, levels, strict=True):
                if level < 1:
                    wait_s = math.ceil((1 - level) * self._allowances[key[0]].refill_s)
                    first = key not in self._refusing
                    self._refusing.add(key)
                    return Wait(key[0], max(wait_s, 1), first)
            for key, level in zip(keys, levels, strict=True):
                self._refusing.discard(key)
                self._buckets[key] = _Bucket(level - 1, now_ms)
            if len(self._buckets) > MAX_BUCKETS:
                self._forget(now_ms)
            return None

    def succeed(self, user: str, address: str, now_ms: int) -> None:
        """The attempt was right: the user's bucket is full again, the others get theirs back."""
        with self._lock:
            for key in self._keys(user, address):
                if key[0] == "too_many_attempts_user":
                    self._buckets.pop(key, None)
                else:
                    level = self._level(key, now_ms) + 1
                    self._buckets[key] = _Bucket(min(level, self._allowances[key[0]].burst), now_ms)

    def _keys(self, user: str, address: str) -> tuple[tuple[Limited, str], ...]:
        return (
            ("too_many_attempts_address", network(address)),
            ("too_many_attempts_user", user),
            ("too_many_attempts", ""),
        )

    def _level(self, key: tuple[Limited, str], now_ms: int) -> float:
        allowance = self._allowances[key[0]]
        bucket = self._buckets.get(key)
        if bucket is None:
            return float(allowance.burst)
        if bucket.at_ms > now_ms:  # a clock that was set back gives nothing, and takes nothing
            bucket = self._buckets[key] = bucket._replace(at_ms=now_ms)
        elapsed_s = (now_ms - bucket.at_ms) / 1000
        return min(bucket.level + elapsed_s / allowance.refill_s, float(allowance.burst))

    def _forget(self, now_ms: int) -> None:
        """Forget the fuller half: full ones say nothing, nearly full ones little."""
        fullness = {
            key: self._level(key, now_ms) / self._allowances[key[0]].burst for key in self._buckets
        }
        by_level = sorted(self._buckets, key=fullness.__getitem__)
        for key in by_level[MAX_BUCKETS // 2 :]:
            del self._buckets[key]
        self._refusing &= self._buckets.keys()


def network(address: str) -> str:
    """The network that shares a bucket: an IPv4 address, or a /64 of IPv6, which is one house."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
