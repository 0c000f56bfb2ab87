"""Passwords: which are good enough, and their argon2id hashes."""

from __future__ import annotations

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from dashboards.access.errors import AccessRefused

SHORTEST, LONGEST = 12, 256
"""Characters of a password; a limit above, because hashing a megabyte is an attack."""

TIME_COST, MEMORY_KIB, LANES = 3, 64 * 1024, 1
"""The second choice of RFC 9106, in one lane: the pipeline keeps the other core."""

DISTINCT = 5


def check(password: str, username: str) -> None:
    """Refuse a password that would be guessed first.

    Raises
    ------
    AccessRefused
        `weak_password`, with what is wrong.
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

    Parameters
    ----------
    time_cost, memory_kib : int
        Passes over the memory, and how much of it [KiB]. Smaller only in tests.
    """

    def __init__(self, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB) -> None:
        self._hasher = PasswordHasher(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=LANES, type=Type.ID
        )
        # Verified against for a user that does not exist, so that an answer takes as long.
        self._nobody = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The hash in the usual encoding, which names its own parameters and salt."""
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
