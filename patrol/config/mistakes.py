"""Mistakes in the configuration: where each one stands, and what to write instead.

`tomllib` keeps no positions, so the lines are found by a second, shallow look at the text.
Text inside a multi-line string could fool it; then a line number is wrong, and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic_core import ErrorDetails

from patrol.config.fields import did_you_mean
from patrol.config.tables import Key, overriding

NAMED_TABLES = frozenset({"vendors", "policies", "campaigns", "notify"})
"""Sections whose tables have names of the user's choice."""

_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_TABLE = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?")
_SETTING = re.compile(rf"\s*({_DOTTED})\s*=")


class Places:
    """The places of the settings in the text of a file; messages name it as its user did."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines: dict[Key, int] = {}
        self._keys: dict[int, Key] = {}
        table: Key = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _TABLE.fullmatch(line):
                key = table = _split(header[1])
            elif setting := _SETTING.match(line):
                key = table + _split(setting[1])
            else:
                continue
            self._lines.setdefault(key, number)
            self._keys[number] = key

    def line(self, key: Key) -> int | None:
        """The line of a key, or of the table that it is missing from; counted from 1."""
        known = (key[:length] for length in range(len(key), 0, -1))
        return next((self._lines[part] for part in known if part in self._lines), None)

    def key(self, line: int) -> Key:
        """The key on a line; empty when there is none."""
        return self._keys.get(line, ())

    def where(self, key: Key) -> str:
        """The variable that set a key, or else the file, the line and the key itself."""
        if name := overriding(key):
            return f"environment variable {name}"
        line = self.line(key)
        place = f"{self._path}:{line}" if line else str(self._path)
        return f"{place}: {written(key)}" if key else place


def _split(dotted: str) -> Key:
    return tuple(part.strip("\"'") for part in re.findall(_NAME, dotted))


def written(key: Key) -> str:
    """The key as a reader finds it in the file: ``[policies.core] frequency``."""
    tables = 2 if key[0] in NAMED_TABLES else 1
    table, rest = ".".join(key[:tables]), ".".join(key[tables:])
    return f"[{table}] {rest}" if rest else f"[{table}]"


_KINDS = {
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": 'must be a list in brackets, for example ["a", "b"]',
    "list_type": 'must be a list in brackets, for example ["a", "b"]',
    "string_type": "must be text in quotes",
    "path_type": "must be a path in quotes",
    "missing": "is missing",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be 1 to 64 of the characters A-Z a-z 0-9 _ -",
    "date_type": "must be a date or time",
}
"""Kinds of error whose wording does not depend on the value."""


def key_of(error: ErrorDetails) -> Key:
    """The setting an error is about: its path without positions in lists.

    Names that begin with a bracket are pydantic's own, not the file's.
    """
    return tuple(
        part for part in error["loc"] if isinstance(part, str) and not part.startswith("[")
    )


def complaint(error: ErrorDetails, siblings: Iterable[str]) -> str:
    """One of pydantic's findings in words, and what to write instead.

    `siblings` are the keys that may stand where the setting of this error stands. The message
    holds the value only where a value cannot be a secret.
    """
    kind, context = error["type"], error.get("ctx", {})
    position = next((part + 1 for part in error["loc"] if isinstance(part, int)), None)
    item = f"item {position}: " if position else ""
    if kind == "extra_forbidden":
        known = sorted(siblings)
        hint = did_you_mean(str(error["loc"][-1]), known)
        return "is not a setting" + (hint or f"; there are {', '.join(known)}")
    if kind == "value_error":
        return f"{item}{context['error']}"
    if kind == "literal_error":
        # Choices are short words such as "gcj02", so a wrong one is no secret either.
        known = [word for word in str(context["expected"]).split("'")[1::2] if word]
        choices = ", ".join(f'"{word}"' for word in known)
        hint = did_you_mean(str(error["input"]), known)
        if str(error["input"]) in known:
            hint = "; put it in quotes"
        return f"{item}must be one of {choices}, not {error['input']!r}{hint}"
    if kind in _KINDS:
        return item + _KINDS[kind]
    message = error["msg"].replace("Input should", "must").replace("be a valid ", "be a ")
    number = isinstance(error["input"], int | float)
    return f"{item}{message}" + (f", not {error['input']}" if number else "")
