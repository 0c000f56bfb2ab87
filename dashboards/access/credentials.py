"""Credentials: random secrets, and passwords with their argon2id hashes.

A secret made here has 256 random bits. Guessing it is hopeless however fast a guess can be
tried, so a plain SHA-256 is enough to make a stolen file useless, and a request costs
microseconds. Passwords are different: people choose them, so they need a slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from dashboards.access.roles import AccessRefused, Identity

TOKEN_PREFIX = "zx_"  # noqa: S105  # not a secret: says what a string found somewhere is
BYTES = 32


def new_secret(prefix: str = "") -> str:
    """A secret of 256 random bits that may stand in a cookie, a header or a link."""
    return prefix + secrets.token_urlsafe(BYTES)


def digest(secret: str) -> bytes:
    """SHA-256 of a secret, 32 bytes: it is stored and looked up instead of the secret."""
    return hashlib.sha256(secret.encode()).digest()


def csrf_token(identity: Identity) -> str | None:
    """The token that a page of a session sends beside its cookie; None for who has no session.

    It is derived, so nothing is kept for it, and it does not tell the session's secret.
    """
    if identity.kind != "session":
        return None
    return hmac.new(identity.secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


SHORTEST, LONGEST = 12, 256
"""Characters of a password; a limit above, because hashing a megabyte is an attack."""

TIME_COST, MEMORY_KIB, LANES = 3, 64 * 1024, 1
"""The second choice of RFC 9106, in one lane: the pipeline keeps the other core."""

DISTINCT = 5


def check_password(password: str, username: str) -> None:
    """Refuse a password that would be guessed first.

    AccessRefused: `weak_password`, with what is wrong.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccessRefused(
            "weak_password",
            f"a password has {SHORTEST} to {LONGEST} characters; four random words are good",
        )
    if username and username in password.lower():
        raise AccessRefused("weak_password", "a password must not contain the user name")
    if len(set(password)) < DISTINCT:
        raise AccessRefused(
            "weak_password", f"a password needs at least {DISTINCT} different characters"
        )


class Passwords:
    """Hashes and verifies; slow on purpose, so never on the event loop.

    `time_cost` passes go over the memory of `memory_kib` [KiB]; fewer and less only in tests.
    """

    def __init__(self, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB) -> None:
        self._hasher = PasswordHasher(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=LANES, type=Type.ID
        )
        # Verified against for a user that does not exist, so that an answer takes as long.
        self._nobody = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The Argon2id hash (RFC 9106) in the PHC encoding, with its own parameters and salt."""
        return self._hasher.hash(password)

    def verify(self, password: str, encoded: str | None) -> bool:
        """Whether `password` belongs to a hash; None, for nobody's, takes as long and is False."""
        try:
            right = self._hasher.verify(encoded or self._nobody, password[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False
        return right and encoded is not None

    def outdated(self, encoded: str) -> bool:
        """Whether a hash was made with other parameters, and should be made again."""
        return self._hasher.check_needs_rehash(encoded)
