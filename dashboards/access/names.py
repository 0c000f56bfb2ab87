"""Names of users and tokens."""

from __future__ import annotations

import re

from dashboards.access.errors import AccessRefused

_USER = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")

RESERVED = frozenset({"system", "console", "anonymous", "nobody", "cli", "token", "file", "setup"})
"""What records call those who are not users."""


def username(text: str) -> str:
    """A user's name as it is kept: small letters, so that Li and li are one person.

    Raises
    ------
    AccessRefused
        `invalid_username`.
    """
    name = text.strip().lower()
    if not _USER.fullmatch(name):
        raise AccessRefused(
            "invalid_username",
            "a user name is 1 to 32 of the characters a-z 0-9 . _ - and begins and ends with a "
            "letter or digit",
        )
    if name in RESERVED:
        raise AccessRefused("invalid_username", f"{name!r} is reserved; choose another name")
    return name


def token_name(text: str) -> str:
    """A token's name as it is kept.

    Raises
    ------
    AccessRefused
        `invalid_token_name`.
    """
    name = text.strip()
    if not _TOKEN.fullmatch(name):
        raise AccessRefused(
            "invalid_token_name", "a token's name is 1 to 64 of the characters A-Z a-z 0-9 _ -"
        )
    return name
