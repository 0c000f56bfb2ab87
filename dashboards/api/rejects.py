"""The route about messages that were not accepted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from dashboards.api import answers, paging
from dashboards.api.answers import Answer
from dashboards.api.routes import needs
from dashboards.api.times import Times
from dashboards.sources import Sources
from ingest.rejects import Reject


def router(sources: Sources, times: Times) -> APIRouter:
    """The route /rejects."""
    routes = APIRouter(tags=["rejects"], dependencies=[needs("viewer")])

    def answer(reject: Reject) -> answers.RejectedMessage:
        return {
            "reason": reject.reason,
            "detail": reject.detail,
            "received_at": times.write(reject.received_at_ms),
            "topic": reject.topic,
            "payload": reject.payload,
            "index": reject.index,
            "vendor": reject.vendor,
            "bike_id": reject.bike_id,
        }

    @routes.get("/rejects", response_class=Answer, response_model=answers.Rejects)
    async def rejects(
        vendor: str | None = None,
        bike_id: str | None = None,
        reason: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        cursor: str | None = None,
    ) -> Response:
        """The last rejected messages, newest first, and counts since the start."""
        book = sources.rejects
        # Numbered from the first reject ever, so that new ones do not shift a page.
        rows = [
            (book.total - n, reject)
            for n, reject in enumerate(book.last(book.total))
            if vendor in (None, reject.vendor)
            and bike_id in (None, reject.bike_id)
            and reason in (None, reject.reason)
        ]
        before = paging.number(cursor)
        page, going_on = paging.page(
            rows, lambda row: -row[0], limit=limit, after=None if before is None else -before
        )
        counts: dict[str, dict[str, int]] = {}
        for (name, why), count in sorted(book.counts.items()):
            counts.setdefault(name, {})[why] = count
        found: dict[str, Any] = {
            "counts": counts,
            "rejects": [answer(reject) for _, reject in page],
        }
        if going_on is not None:
            found["next_cursor"] = str(-going_on)
        return Answer(found)

    return routes
