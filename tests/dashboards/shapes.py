"""Holds every answer of the API to its shape in the OpenAPI document, and to no more than that."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
from fastapi import FastAPI
from starlette.routing import compile_path

from dashboards.api.routes import API

Document = dict[str, Any]
_STRICT: dict[int, Shapes] = {}


class Shapes:
    """The shapes of a document, in which an answer may have no field that is not described."""

    def __init__(self, document: Document) -> None:
        self.document = deepcopy(document)
        self.paths = [(compile_path(path)[0], item) for path, item in document["paths"].items()]
        for name, schema in self.document["components"]["schemas"].items():
            if "properties" in schema and name != "ProblemDocument":
                schema["additionalProperties"] = False

    @cache  # noqa: B019 - there are two of them, for good
    def _validator(self, name: str) -> Any:
        return jsonschema_rs.validator_for({"$ref": name, **self.document})

    def hold(self, method: str, path: str, answer: httpx.Response) -> None:
        """Raise AssertionError when an answer is not as the document says."""
        before, _, path = path.partition("?")[0].partition(API)
        if before or not path:
            return
        item = next((item for pattern, item in self.paths if pattern.fullmatch(path)), {})
        said = item.get(method.lower(), {}).get("responses", {}).get(str(answer.status_code))
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if said is None or not kind:
            return
        assert kind in said["content"], f"{method} {path}: {kind} is not documented"
        schema = said["content"][kind]["schema"]
        if not kind.endswith("json"):
            return
        for each in schema.get("anyOf", [schema]):
            errors = list(self._validator(each["$ref"]).iter_errors(answer.json()))
            if not errors:
                return
        told = "\n".join(f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in errors[:5])
        raise AssertionError(f"{method} {path}: not as documented:\n{told}")


def shapes_of(app: FastAPI) -> Shapes:
    """The shapes of an application's API; one with as many routes has the same."""
    api = next(route.app for route in app.routes if getattr(route, "path", "") == API)
    key = len(api.routes)
    if key not in _STRICT:
        _STRICT[key] = Shapes(api.openapi())
    return _STRICT[key]


def fields(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Shape, name and schema of every field of a document."""
    for shape, schema in document["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            yield shape, name, field
