"""The tables of patrol.toml, the environment over them, and every mistake with its place.

`tomllib` stops at the first mistake. A mistake that lies in one ``key = value`` line, such
as text without quotes, is noted, its line is left out, and the rest is read. A mistake that
may reach further (a bracket that is not closed, a broken table header) ends the reading.

``PATROL_MQTT__URL`` stands for ``url`` in ``[mqtt]``. A variable has no small letters and no
hyphens, so names are compared without them.

`tomllib` keeps no positions, so the lines are found by a second, shallow look at the text.
Text inside a multi-line string could fool it; then a line number is wrong, and no more.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from patrol.config.fields import did_you_mean
from patrol.errors import Problem

PREFIX = "PATROL_"
DELIMITER = "__"

Tables = dict[str, Any]
"""A table of tables and values, as `tomllib` gives it."""

Key = tuple[str, ...]
"""A path through tables, for example ``("policies", "core", "frequency")``."""

NAMED_TABLES = frozenset({"vendors", "policies", "campaigns", "notify"})
"""Sections whose tables have names of the user's choice."""

_AT = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_ONE_LINE = re.compile(r"""\s*([^=\[\]#"']+?)\s*=(?!\s*(?:\[|\{|"{3}|'{3}))([^#]*)""")
_BARE_TEXT = re.compile(r"[^\s\"'\[\]{},#=]+")
_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_TABLE = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?")
_SETTING = re.compile(rf"\s*({_DOTTED})\s*=")


def parse_tables(text: str) -> tuple[Tables | None, list[tuple[int, str]]]:
    """Read TOML; return what could be read, or None when a mistake makes the rest meaningless.

    Beside it the lines that are not TOML and were left out, in order: number, and what is wrong.
    """
    lines = text.splitlines() or [""]
    mistakes: list[tuple[int, str]] = []
    while True:
        try:
            return tomllib.loads("\n".join(lines)), sorted(mistakes)
        except RecursionError:
            return None, [*mistakes, (1, "is nested too deeply")]
        except ValueError as exc:  # TOMLDecodeError, and what a number of 5,000 digits raises
            number, message = _located(str(exc), len(lines))
        # A quote that is not closed is noticed only where the text ends.
        wrong = next(
            ((n, why) for n in range(1, number + 1) if (why := _alone(lines[n - 1]))), None
        )
        if wrong is None and not message.startswith("Cannot overwrite"):
            mistakes.append((number, message))
            return None, sorted(mistakes)
        mistakes.append(wrong or (number, message))
        lines[mistakes[-1][0] - 1] = ""


def _located(error: str, last: int) -> tuple[int, str]:
    """The line and the words of a message of `tomllib`."""
    at = _AT.search(error)
    if at is None:
        return last, error
    return int(at[1] or last), error[: at.start()]


def _alone(line: str) -> str | None:
    """The mistake in a ``key = value`` line by itself; None when it is no such line."""
    setting = _ONE_LINE.match(line)
    if setting is None:
        return None
    try:
        tomllib.loads(line)
    except RecursionError:
        return "is nested too deeply"
    except ValueError as exc:
        key, value = setting[1], setting[2].strip()
        if not value:
            return "there is no value"
        if value[0] in "\"'":
            return "the quotes do not match"
        if _BARE_TEXT.fullmatch(value):
            return f'text needs quotes: {key} = "…"'  # it may be a secret
        return _located(str(exc), 1)[1]
    return None


def variable(key: Key) -> str:
    """The variable that overrides a key."""
    return PREFIX + DELIMITER.join(_fold(part) for part in key).upper()


def overriding(key: Key) -> str | None:
    """The variable that is set and overrides a key, or a table that the key is in."""
    names = (variable(key[:length]) for length in range(len(key), 0, -1))
    return next((name for name in names if name in os.environ), None)


def overridden(tables: Tables, settings: type[BaseModel]) -> Tables:
    """The tables of patrol.toml with the values of the environment in their place.

    The settings tell where a variable holds JSON: a list, as in
    ``PATROL_VENDORS__A__BIKES='["b1"]'``, or a whole table.
    """
    environment = _Environment(
        settings,  # type: ignore[arg-type]  # it need not read the environment itself
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
    )
    return _merged(tables, environment())


def unknown_variables(settings: type[BaseModel]) -> Iterator[Problem]:
    """Variables that look like settings of a section that does not exist."""
    known = [name.upper() for name in settings.model_fields]
    for name in sorted(os.environ):
        section, delimiter, _ = name.removeprefix(PREFIX).partition(DELIMITER)
        if name.startswith(PREFIX) and delimiter and section.upper() not in known:
            hint = did_you_mean(section, known)
            yield Problem(f"environment variable {name}", f"there is no section {section}{hint}")


class _Environment(EnvSettingsSource):
    """The settings in the environment, by folded name; they need not be right."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Leave text where a list belongs as it is, for the model to refuse."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _fold(name: str) -> str:
    return name.lower().replace("-", "_")


def _merged(tables: Tables, over: Mapping[str, Any]) -> Tables:
    merged = dict(tables)
    spelt = {_fold(name): name for name in tables}
    for folded, value in over.items():
        name = spelt.get(_fold(folded), folded)
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged


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
