"""Pydantic's findings in the words of somebody who edits patrol.toml."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_core import ErrorDetails

from patrol.fields import did_you_mean
from patrol.tables import Key

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
    """What is wrong and what to write instead.

    Parameters
    ----------
    error : ErrorDetails
        One of pydantic's findings.
    siblings : iterable of str
        The keys that may stand where the setting of this error stands.

    Returns
    -------
    str
        A message. It holds the value only where a value cannot be a secret.
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
