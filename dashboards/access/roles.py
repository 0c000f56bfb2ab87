"""Roles, who is asking, and why access control refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    role: Role  # what they may do
    kind: Literal["session", "token"]
    """Whether a browser's cookie or a program's bearer token says so."""
    secret: str = field(default="", repr=False)  # the session's secret; empty for a token


Unknown = Literal[
    "not_signed_in",
    "session_over",
    "token_unknown",
    "token_expired",
    "token_revoked",
    "user_disabled",
    "wrong_credentials",
]
Forbidden = Literal[
    "role_too_low",
    "csrf_token_missing",
    "csrf_token_wrong",
    "invitation_wrong",
    "invitation_over",
]
Missing = Literal["unknown_user", "unknown_token"]
Conflict = Literal[
    "already_set_up", "username_taken", "token_name_taken", "last_admin", "no_session"
]
Limited = Literal["too_many_attempts_user", "too_many_attempts_address", "too_many_attempts"]
Invalid = Literal["invalid_username", "weak_password", "invalid_token_name", "expiry_in_past"]
Refusal = Literal[Unknown, Forbidden, Missing, Conflict, Limited, Invalid]
"""Reasons; answers, log and audit record use the same word."""


class AccessRefused(Exception):
    """Refused; nothing was changed.

    `detail` says to people what is wrong and what to do, and never a secret; after `retry_after_s`
    [s] it is worth trying again.
    """

    def __init__(self, reason: Refusal, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Refusal = reason
        self.detail = detail
        self.retry_after_s = retry_after_s


class AccessFailed(Exception):
    """The file of users cannot be used; nothing was changed."""


class AccessUnavailable(AccessFailed):
    """The file of users cannot be read or written now."""


class AccessUnreadable(AccessFailed):
    """The file of users is damaged, or of a newer version."""
