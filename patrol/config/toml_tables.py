"""The text of patrol.toml as tables, going on after a line that is not TOML.

`tomllib` stops at the first mistake. A mistake that lies in one ``key = value`` line, such
as text without quotes, is noted, its line is left out, and the rest is read. A mistake that
may reach further (a bracket that is not closed, a broken table header) ends the reading.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, NamedTuple

Tables = dict[str, Any]
"""A table of tables and values, as `tomllib` gives it."""

Key = tuple[str, ...]
"""A path through tables, for example ``("policies", "core", "frequency")``."""

_AT = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_ONE_LINE = re.compile(r"""\s*([^=\[\]#"']+?)\s*=(?!\s*(?:\[|\{|"{3}|'{3}))([^#]*)""")
_BARE_TEXT = re.compile(r"[^\s\"'\[\]{},#=]+")


class Mistake(NamedTuple):
    """A line that is not TOML: its number, and what is wrong with it."""

    line: int
    message: str


def parse_tables(text: str) -> tuple[Tables | None, list[Mistake]]:
    """Read TOML.

    Parameters
    ----------
    text : str
        The whole file.

    Returns
    -------
    tables : dict or None
        What could be read; None when a mistake makes the rest meaningless.
    mistakes : list of Mistake
        The lines left out, in order.
    """
    lines = text.splitlines() or [""]
    mistakes: list[Mistake] = []
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
            mistakes.append(Mistake(number, message))
            return None, sorted(mistakes)
        mistakes.append(Mistake(*(wrong or (number, message))))
        lines[mistakes[-1].line - 1] = ""


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
