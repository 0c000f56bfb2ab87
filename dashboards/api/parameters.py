"""Refuse parameters that a route does not know: a filter written wrong must not be passed over."""

from __future__ import annotations

from collections import Counter

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query

from dashboards.api.problems import ProblemError, unknown


async def known(request: Request) -> None:
    """Raise ProblemError, 422 `unknown_parameter` or `repeated_parameter`; a dependency."""
    if not request.query_params:
        return
    accepted = get_flat_params(request.scope["route"].dependant)
    names = [each.alias for each in accepted if isinstance(each.field_info, Query)]
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in names:
            raise unknown("parameter", name, names, where=name)
        if times > 1:
            raise ProblemError(422, "repeated_parameter", f"{name}= is given twice", where=name)
