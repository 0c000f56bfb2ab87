"""What was rejected, and the parts of the system."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from dashboards.api.answers.answer import Time


class RejectedMessage(TypedDict):
    """A message, or an item of one, that was not accepted."""

    reason: str
    detail: str
    received_at: Time
    topic: str
    payload: str
    index: int | None
    vendor: str
    bike_id: str


class Rejects(TypedDict):
    """Counts since the start, and the last messages, newest first."""

    counts: dict[str, dict[str, int]]
    rejects: list[RejectedMessage]
    next_cursor: NotRequired[str]


class PartState(TypedDict):
    """One part of the system."""

    name: str
    ok: bool
    reason: str
    required: bool


class Readiness(TypedDict):
    """Whether every part does its work that is required."""

    ready: bool
    parts: list[PartState]
