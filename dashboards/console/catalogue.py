"""Every word of the console, in Chinese and English.

A key is there in both languages or in none; a word of the API (a state, a rule, a reason) is
looked up as ``state.overdue`` and shown as it is when nobody has translated it yet.
"""

from __future__ import annotations

from typing import Literal, get_args

from dashboards.console.words import (
    alerts,
    bikes,
    desk,
    door,
    draw,
    field,
    frame,
    orders,
    people,
    record,
    refusals,
    replay,
    zone,
    zones,
)

Language = Literal["zh", "en"]

LANGUAGES: tuple[Language, ...] = get_args(Language)

PARTS = (
    frame, desk, replay, alerts, zones, zone, orders, draw, record, refusals, bikes, people, door,
    field,
)  # fmt: skip

COOKIE = "zhixun_language"
"""Keeps the language that somebody has chosen; the console's script sets it."""

_ENTRIES: dict[str, tuple[str, str]] = {
    key: entry for part in PARTS for key, entry in part.ENTRIES.items()
}


def texts(language: Language) -> dict[str, str]:
    """All entries in one language."""
    column = LANGUAGES.index(language)
    return {key: entry[column] for key, entry in _ENTRIES.items()}
