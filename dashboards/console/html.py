"""Templates of the pages as HTML, in one language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from dashboards.console import files
from dashboards.console.catalogue import texts
from words.catalogue import LANGUAGES, Language

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, language: Language, **values: Any) -> str:
    """A template as HTML; it has the texts of a language as ``words``, and ``url`` of a file."""
    other = next(known for known in LANGUAGES if known != language)
    words = texts(language)
    return _TEMPLATES.get_template(template).render(
        values, words=words, language=language, other=other, url=files.url
    )
