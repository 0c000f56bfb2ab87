"""Errors as RFC 9457 problem documents, each with a named reason."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from dashboards.api.answers import Answer
from ingest.errors import ArchiveDamaged, StoreUnavailable


class ProblemDocument(TypedDict):
    """RFC 9457; `reason` is the word a program decides by."""

    type: str
    title: str
    status: int
    detail: str
    reason: str


class ProblemError(Exception):
    """Refuses a request.

    Parameters
    ----------
    status : int
        HTTP status.
    reason : str
        The word that names what is wrong; programs decide by it.
    detail : str
        What is wrong with this request and what to do, for people.
    headers : mapping, optional
        Headers of the answer, such as Retry-After.
    **extra
        Further members of the document.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra


class ProblemAnswer(Answer):
    """A response with a problem document."""

    media_type = "application/problem+json"

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        headers: dict[str, str] | None = None,
        **extra: object,
    ) -> None:
        document = {
            "type": f"urn:zhixun:problem:{reason}",
            "title": reason.replace("_", " "),
            "status": status,
            "detail": detail,
            "reason": reason,
            **extra,
        }
        super().__init__(document, status_code=status, headers=headers)


def unknown(kind: str, wanted: str, known: Collection[str]) -> ProblemError:
    """A 404 that says which names there are: those most like the wanted one first."""
    near = difflib.get_close_matches(wanted, known, n=5, cutoff=0.3) or sorted(known)[:5]
    hint = f"; there is {', '.join(near)}" if near else "; there are none yet"
    more = len(known) - len(near)
    if more > 0:
        hint += f" and {more} more"
    return ProblemError(404, f"unknown_{kind}", f"no {kind} {wanted!r}{hint}", near=near)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""

    async def problem(_: Request, exc: Exception) -> Answer:
        assert isinstance(exc, ProblemError)
        return ProblemAnswer(exc.status, exc.reason, exc.detail, exc.headers, **exc.extra)

    async def invalid(_: Request, exc: Exception) -> Answer:
        assert isinstance(exc, RequestValidationError)
        errors: list[dict[str, Any]] = [
            {"where": ".".join(str(part) for part in error["loc"]), "message": error["msg"]}
            for error in exc.errors()
        ]
        detail = "; ".join(f"{error['where']}: {error['message']}" for error in errors)
        return ProblemAnswer(422, "invalid_request", detail, errors=errors)

    async def http(request: Request, exc: Exception) -> Answer:
        assert isinstance(exc, HTTPException)
        reason = HTTPStatus(exc.status_code).phrase.lower().replace(" ", "_")
        detail = f"{request.method} {request.url.path}: {exc.detail}"
        if exc.status_code == 404:
            reason = "unknown_route"
            detail = f"no route {request.url.path}; /api/v1/openapi.json lists them"
        return ProblemAnswer(exc.status_code, reason, detail, dict(exc.headers or {}))

    async def damaged(_: Request, exc: Exception) -> Answer:
        return ProblemAnswer(503, "archive_damaged", str(exc))

    async def unavailable(_: Request, exc: Exception) -> Answer:
        return ProblemAnswer(503, "storage_unavailable", str(exc))

    async def crash(request: Request, exc: Exception) -> Answer:
        # The server logs the traceback; a stranger gets no internals.
        return ProblemAnswer(
            500, "internal_error", f"{request.method} {request.url.path} failed; see the log"
        )

    app.add_exception_handler(ProblemError, problem)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(ArchiveDamaged, damaged)
    app.add_exception_handler(StoreUnavailable, unavailable)
    app.add_exception_handler(Exception, crash)


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {}},
        "model": ProblemDocument,
    }
    for status in (400, 401, 403, 404, 409, 422, 429)
}
"""What the OpenAPI document says about the errors of every route."""
