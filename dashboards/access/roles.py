"""Roles, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["viewer", "dispatcher", "admin"]

ROLES: tuple[Role, ...] = get_args(Role)
"""Roles from the least to the most; each includes those before it."""


def may(role: Role, needed: Role) -> bool:
    """Whether `role` is at least `needed`."""
    return ROLES.index(role) >= ROLES.index(needed)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking."""

    name: str
    """As records show it: a user's name, ``token:NAME`` or ``file:NAME``. User names hold no colon,
    so nobody can be taken for somebody else."""
    role: Role
    """What they may do."""
    kind: Literal["session", "token"]
    """Whether a browser's cookie or a program's bearer token says so."""
    secret: str = ""
    """The session's secret; empty for a token."""
