"""Errors as RFC 9457 problem documents, each with a named reason."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Any, Final, NotRequired, get_args

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from alerts.errors import BookUnavailable, Refused
from dashboards.access import roles
from dashboards.access.roles import AccessFailed, AccessRefused
from dashboards.api.answers import Answer
from geofence.errors import Problem
from ingest.errors import ArchiveDamaged, StoreUnavailable

SCHEMAS: Final = "#/components/schemas/"
"""Where the OpenAPI document keeps shapes."""


MOST_ALLOWED: Final = 1_000
"""How many names a problem lists at most."""


class Misread(TypedDict):
    """A part of a request that is not what it should be; `where` it stands."""

    where: str
    message: str
    allowed: NotRequired[list[str]]


class ProblemDocument(TypedDict):
    """RFC 9457: why a request is refused. Programs decide by `reason`; some reasons say more."""

    type: str
    title: str
    status: int
    detail: str
    reason: str
    where: NotRequired[str]
    allowed: NotRequired[list[str]]
    near: NotRequired[list[str]]
    errors: NotRequired[list[Misread]]
    problems: NotRequired[list[dict[str, Any]]]


class ProblemAnswer(Answer):
    """A response with a problem document: why a request is refused.

    Programs decide by the word `reason`; `detail` says to people what is wrong and what to do;
    `extra` are further members of the document.
    """

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
        kept = {"Cache-Control": "no-store", **(headers or {})}
        super().__init__(document, status_code=status, headers=kept)


class ProblemError(Exception):
    """Refuses a request with a :class:`ProblemAnswer` of the same arguments."""

    def __init__(self, status: int, reason: str, detail: str, **extra: Any) -> None:
        super().__init__(f"{reason}: {detail}")
        self.detail = detail
        self.answer = ProblemAnswer(status, reason, detail, **extra)


def unknown(
    kind: str, wanted: str, known: Collection[str], where: str | None = None
) -> ProblemError:
    """Make a 404 that lists the names there are, the ones most like `wanted` first.

    Of a filter, which stands in the parameter `where`, it is a 422 with what is `allowed` there.
    """
    near = difflib.get_close_matches(wanted, known, n=5, cutoff=0.3) or sorted(known)[:5]
    hint = f"; there is {', '.join(near)}" if near else "; there are none yet"
    more = len(known) - len(near)
    if more > 0:
        hint += f" and {more} more"
    detail = f"no {kind} {wanted!r}{hint}"
    if where is None:
        return ProblemError(404, f"unknown_{kind}", detail, near=near)
    allowed = list(known)[:MOST_ALLOWED]
    return ProblemError(422, f"unknown_{kind}", detail, where=where, near=near, allowed=allowed)


def one_of(kind: str, wanted: str | None, known: Collection[str], where: str) -> None:
    """Refuse a filter, in the parameter `where`, that is given and not known. ProblemError: 422."""
    if wanted is not None and wanted not in known:
        raise unknown(kind, wanted, known, where)


_STATUS = {
    reason: status
    for reasons, status in (
        (roles.Unknown, 401),
        (roles.Forbidden, 403),
        (roles.Missing, 404),
        (roles.Conflict, 409),
        (roles.Limited, 429),
        (roles.Invalid, 422),
    )
    for reason in get_args(reasons)
}


def access_refused(exc: AccessRefused) -> ProblemAnswer:
    """The answer to a request that access control refuses."""
    status = _STATUS[exc.reason]
    headers = {}
    if status == 401 and exc.reason != "wrong_credentials":
        headers["WWW-Authenticate"] = "Bearer"  # another token would change it
    if exc.retry_after_s is not None:
        headers["Retry-After"] = str(exc.retry_after_s)
    return ProblemAnswer(status, exc.reason, exc.detail, headers)


def access_unavailable() -> ProblemAnswer:
    """The answer while the file of users cannot be read or written."""
    detail = "the file of users cannot be used now, the log says why; nothing was changed"
    return ProblemAnswer(503, "access_unavailable", detail)


def invalid(reason: str, problems: Sequence[Problem]) -> ProblemError:
    """Make a 422 that lists every mistake as `problems`."""
    listed = [{"where": each.where, "message": each.message} for each in problems]
    return ProblemError(422, reason, "; ".join(map(str, problems)), problems=listed)


_QUOTED = re.compile(r"'([^']*)'")


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""

    @app.exception_handler(ProblemError)
    async def problem(_: Request, exc: ProblemError) -> Answer:
        return exc.answer

    @app.exception_handler(AccessRefused)
    async def refused(_: Request, exc: AccessRefused) -> Answer:
        return access_refused(exc)

    @app.exception_handler(AccessFailed)
    async def no_users(_: Request, exc: Exception) -> Answer:
        return access_unavailable()

    @app.exception_handler(Refused)
    async def forbidden(request: Request, exc: Refused) -> Answer:
        return ProblemAnswer(409, exc.reason, exc.detail, **request.path_params)

    @app.exception_handler(BookUnavailable)
    async def no_book(_: Request, exc: BookUnavailable) -> Answer:
        return ProblemAnswer(503, "book_unavailable", f"{exc}; nothing was recorded")

    @app.exception_handler(ArchiveDamaged)
    async def damaged(_: Request, exc: ArchiveDamaged) -> Answer:
        return ProblemAnswer(503, "archive_damaged", str(exc))

    @app.exception_handler(StoreUnavailable)
    async def unavailable(_: Request, exc: StoreUnavailable) -> Answer:
        return ProblemAnswer(503, "storage_unavailable", str(exc))

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, exc: RequestValidationError) -> Answer:
        errors: list[Misread] = []
        for error in exc.errors():
            where = ".".join(str(part) for part in error["loc"])
            errors.append({"where": where, "message": error["msg"]})
            if error["type"] == "literal_error":
                errors[-1]["allowed"] = _QUOTED.findall(error["ctx"]["expected"])
        detail = "; ".join(f"{error['where']}: {error['message']}" for error in errors)
        return ProblemAnswer(422, "invalid_request", detail, errors=errors)

    @app.exception_handler(HTTPException)
    async def http(request: Request, exc: HTTPException) -> Answer:
        reason = HTTPStatus(exc.status_code).phrase.lower().replace(" ", "_")
        detail = f"{request.method} {request.url.path}: {exc.detail}"
        if exc.status_code == 404:
            reason = "unknown_route"
            detail = f"no route {request.url.path}; /api/v1/openapi.json lists them"
        return ProblemAnswer(exc.status_code, reason, detail, dict(exc.headers or {}))

    @app.exception_handler(Exception)
    async def crash(request: Request, exc: Exception) -> Answer:
        # The server logs the traceback; a stranger gets no internals.
        return ProblemAnswer(
            500, "internal_error", f"{request.method} {request.url.path} failed; see the log"
        )


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": {"$ref": f"{SCHEMAS}ProblemDocument"}}},
    }
    for status in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}
"""What the OpenAPI document says about the errors of every route."""
