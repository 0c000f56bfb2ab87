"""Shapes of the answers about sessions, users, tokens and the audit record."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from dashboards.access.roles import Role
from dashboards.api.answers import Time


class Me(TypedDict):
    """Who is asking; `csrf_token` is what a page sends as X-CSRF-Token, null for a token."""

    name: str
    role: Role
    kind: Literal["session", "token"]
    csrf_token: str | None


class UserAnswer(TypedDict):
    """A user."""

    username: str
    role: Role
    disabled: bool
    created: Time
    password_changed: Time
    signed_in: Time | None


class Users(TypedDict):
    """All users, by name."""

    users: list[UserAnswer]


class TokenAnswer(TypedDict):
    """A token, without the token itself."""

    name: str
    role: Role
    created: Time
    created_by: str
    expires: Time | None
    revoked: Time | None
    last_used: Time | None


class NewToken(TokenAnswer):
    """A token that was just made: `token` is shown this once."""

    token: str


class Tokens(TypedDict):
    """All tokens, by name; those that are over too."""

    tokens: list[TokenAnswer]


class AuditEntry(TypedDict):
    """Who did what, when and from where."""

    seq: int
    at: Time
    actor: str
    address: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditPage(TypedDict):
    """A page of the record, the newest first."""

    entries: list[AuditEntry]
    next_cursor: NotRequired[str]
