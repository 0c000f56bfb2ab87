"""Pages of a list: `limit` rows after the one that `cursor` names.

A cursor is the key of a row, not a position, so rows that come or go between two requests
neither repeat nor hide others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dashboards.api.problems import ProblemError

Row = TypeVar("Row")


def page(
    rows: Sequence[Row],
    key: Callable[[Row], Any],
    *,
    limit: int,
    after: Any | None,
) -> tuple[Sequence[Row], Any | None]:
    """The rows after the key `after`, and the key to go on from, None at the end.

    `rows` are sorted by `key`, no key twice; `limit` is at least 1; the first page is after None.
    """
    first = 0 if after is None else bisect_right(rows, after, key=key)
    found = rows[first : first + limit]
    more = first + limit < len(rows)
    return found, key(found[-1]) if more else None


def number(cursor: str | None) -> int | None:
    """A cursor that is a number. ProblemError: 400 `invalid_cursor`."""
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise invalid(cursor)
    return int(cursor)


def invalid(cursor: str) -> ProblemError:
    """Make the problem for a cursor that this server did not write."""
    return ProblemError(
        400,
        "invalid_cursor",
        f"{cursor!r} is not a cursor of this list; take next_cursor of the page before",
        where="cursor",
    )
