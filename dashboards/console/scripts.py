"""What a page's script imports, so that the browser need not find out step by step.

A module names what it imports only once it is there; a page five imports deep would wait for the
network five times before it can begin.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
"""Scripts and styles; NAME.js and NAME.css are those of the page NAME."""

_IMPORT = re.compile(r'from "\./([\w-]+\.js)"')


@cache
def modules_of(page: str) -> tuple[str, ...]:
    """File names of the modules that a page's script needs, its own first."""
    found = [f"{page}.js"]
    for name in found:  # grows meanwhile
        text = (STATIC / name).read_text("utf-8")
        found += [each for each in _IMPORT.findall(text) if each not in found]
    return tuple(dict.fromkeys(found))
