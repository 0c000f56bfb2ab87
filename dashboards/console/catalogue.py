"""The words of the console in Chinese and English: those of the contract, and those of its pages.

The pages' words stand in ``words/``, one file for each page. A word of the API (a state, a rule, a
reason) is looked up as ``state.overdue`` and shown as it is when nobody has translated it yet.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from alerts.rules import contract
from words import catalogue
from words.catalogue import Entries, Language

COOKIE = "zhixun_language"
"""Keeps the language that somebody has chosen; the page sets it."""


@cache
def entries() -> Entries:
    """The words of the contract and of all pages."""
    return {**contract(), **catalogue.read(files("dashboards.console") / "words")}


def texts(language: Language) -> dict[str, str]:
    """All entries in one language."""
    return catalogue.texts(entries(), language)
