"""How answers are encoded, and what every one of them may be made of."""

from __future__ import annotations

import msgspec
from starlette.responses import Response
from typing_extensions import TypedDict

Time = str
"""RFC 3339 with the district's offset."""


class Answer(Response):
    """A response whose content is encoded as JSON by msgspec."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return msgspec.json.encode(content)


class GeoAnswer(Answer):
    """GeoJSON (RFC 7946)."""

    media_type = "application/geo+json"


class ProblemDocument(TypedDict):
    """RFC 9457; `reason` is the word a program decides by."""

    type: str
    title: str
    status: int
    detail: str
    reason: str
