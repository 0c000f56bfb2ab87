"""The OpenAPI document: what FastAPI makes of routes and shapes, in words for people.

A route's name is its `operationId`, the first sentence of its docstring its summary. What a field
or parameter means, its unit and an example stand in ``fields.toml``, once for all answers in which
a name means the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final, Literal

from fastapi import FastAPI
from pydantic import TypeAdapter

from dashboards.api import answers, bike_answers
from dashboards.api.answers import GeoAnswer
from dashboards.api.lists import CsvAnswer
from dashboards.api.problems import SCHEMAS, ProblemDocument
from dashboards.api.stream import DATA

_TEXT = files("dashboards.api").joinpath("fields.toml").read_text("utf-8")
FIELDS: Final[Mapping[str, list[Any]]] = {
    name: meaning for names, meaning in tomllib.loads(_TEXT).items() for name in names.split()
}
"""Description and example by name, or by ``Shape.name`` where it means something of its own."""

ON_MAPS: Final[Mapping[str, type]] = {
    "list_bikes": bike_answers.BikeFeatures,
    "list_cells": answers.CellFeatures,
    "list_tracks": bike_answers.TracksOnMap,
}
"""Shapes of the lists that can be asked for as GeoJSON, by operation; others are so already."""

_SENTENCE = re.compile(r"(.+?)[.](?:\s|$)", re.DOTALL)


class Api(FastAPI):
    """An application whose document is described."""

    def openapi(self) -> dict[str, Any]:
        """The document; it is made once."""
        return self.openapi_schema or described(super().openapi())


def described(document: dict[str, Any]) -> dict[str, Any]:
    """Add summaries, the shape of problems, and the words of `FIELDS` to a document, in place."""
    schemas = document["components"]["schemas"]
    ours: list[tuple[type, Literal["serialization"], TypeAdapter[Any]]] = [
        (shape, "serialization", TypeAdapter(shape))
        for shape in (ProblemDocument, *DATA.values(), *ON_MAPS.values())
    ]
    schemas |= TypeAdapter.json_schemas(ours, ref_template=f"{SCHEMAS}{{model}}")[1]["$defs"]
    for shape, schema in schemas.items():
        for name, field in schema.get("properties", {}).items():
            _describe(field, field, shape, name)
    for operation in operations(document):
        summary = _SENTENCE.match(operation.get("description", ""))
        operation["summary"] = " ".join((summary[1] if summary else "").split())
        for each in operation.get("parameters", ()):
            _describe(each, each["schema"], operation["operationId"], each["name"])
            if each["name"] == "format":
                _add_formats(operation)
    return document


def _add_formats(operation: dict[str, Any]) -> None:
    content = operation["responses"]["200"]["content"]
    content[CsvAnswer.media_type] = {"schema": {"type": "string"}}
    on_map = ON_MAPS.get(operation["operationId"])
    if on_map is not None:
        content[GeoAnswer.media_type] = {"schema": {"$ref": f"{SCHEMAS}{on_map.__name__}"}}


def operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All operations of a document."""
    for path in document["paths"].values():
        yield from path.values()


def _describe(said: dict[str, Any], schema: dict[str, Any], owner: str, name: str) -> None:
    """Add to `said` what a name means, and an example of its `schema`."""
    schema.pop("title", None)
    meaning = FIELDS.get(f"{owner}.{name}", FIELDS.get(name))
    if meaning is not None:
        said.setdefault("description", meaning[0])
        schema |= {"examples": meaning[1:]} if meaning[1:] else {}
