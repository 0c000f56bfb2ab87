"""Random secrets, and what of them is kept.

A secret made here has 256 random bits. Guessing it is hopeless however fast a guess can be
tried, so a plain SHA-256 is enough to make a stolen file useless, and a request costs
microseconds. Passwords are different: people choose them, so they need a slow hash
(:mod:`dashboards.access.passwords`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

TOKEN_PREFIX = "zx_"  # noqa: S105  # not a secret: says what a string found somewhere is
BYTES = 32


def new_secret(prefix: str = "") -> str:
    """A secret that may stand in a cookie, a header or a link."""
    return prefix + secrets.token_urlsafe(BYTES)


def digest(secret: str) -> bytes:
    """What is kept of a secret, and looked up by: its SHA-256."""
    return hashlib.sha256(secret.encode()).digest()


def csrf_token(session_secret: str) -> str:
    """The token that a page of this session sends beside its cookie.

    It is derived, so nothing is kept for it, and it does not tell the session's secret.
    """
    return hmac.new(session_secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())
