"""Where a setting stands: its line in patrol.toml, or its variable in the environment.

`tomllib` keeps no positions, so the lines are found by a second, shallow look at the text.
Text inside a multi-line string could fool it; then a line number is wrong, and no more.
"""

from __future__ import annotations

import re
from pathlib import Path

from patrol.environment import overriding
from patrol.tables import Key

NAMED_TABLES = frozenset({"vendors", "policies", "campaigns", "notify"})
"""Sections whose tables have names of the user's choice."""

_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_TABLE = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?")
_SETTING = re.compile(rf"\s*({_DOTTED})\s*=")


class Places:
    """The places of the settings of one file.

    Parameters
    ----------
    path : Path
        The file, as its user named it.
    text : str
        What is in it.
    """

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
