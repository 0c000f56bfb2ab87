"""The tables of patrol.toml, and the environment over them.

`tomllib` stops at the first mistake. A mistake that lies in one ``key = value`` line, such
as text without quotes, is noted, its line is left out, and the rest is read. A mistake that
may reach further (a bracket that is not closed, a broken table header) ends the reading.

``PATROL_MQTT__URL`` stands for ``url`` in ``[mqtt]``. A variable has no small letters and no
hyphens, so names are compared without them.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from patrol.config.fields import did_you_mean
from patrol.errors import Problem

PREFIX = "PATROL_"
DELIMITER = "__"

Tables = dict[str, Any]
"""A table of tables and values, as `tomllib` gives it."""

Key = tuple[str, ...]
"""A path through tables, for example ``("policies", "core", "frequency")``."""

_AT = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_ONE_LINE = re.compile(r"""\s*([^=\[\]#"']+?)\s*=(?!\s*(?:\[|\{|"{3}|'{3}))([^#]*)""")
_BARE_TEXT = re.compile(r"[^\s\"'\[\]{},#=]+")


def parse_tables(text: str) -> tuple[Tables | None, list[tuple[int, str]]]:
    """Read TOML; return what could be read, or None when a mistake makes the rest meaningless.

    Beside it the lines that are not TOML and were left out, in order: number, and what is wrong.
    """
    lines = text.splitlines() or [""]
    mistakes: list[tuple[int, str]] = []
    while True:
        try:
            return tomllib.loads("\n".join(lines)), sorted(mistakes)
        except tomllib.TOMLDecodeError as exc:
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
    except tomllib.TOMLDecodeError as exc:
        key, value = setting[1], setting[2].strip()
        if not value:
            return "there is no value"
        if value[0] in "\"'":
            return "the quotes do not match"
        if _BARE_TEXT.fullmatch(value):
            return f'text needs quotes: {key} = "{value}"'
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
