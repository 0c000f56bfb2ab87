"""The colours of the pages can be read, by WCAG 2.1."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboards.console.files import STATIC

STYLES = (STATIC / "page" / "page.css", STATIC / "door" / "door.css")
LEAST = 4.5
"""Contrast of text up to 24 px (success criterion 1.4.3)."""

ON = {
    "panel": ("ink", "dim", "accent", "hot", "due"),
    "ground": ("ink", "dim", "accent", "hot", "due"),
    "bar": ("bar-ink",),
    "accent": ("on-accent",),
    "hot": ("on-hot",),
    **dict.fromkeys(
        ("compliant", "due", "overdue", "short", "unmeasurable", "off_duty", "paused"),
        ("on-badge",),
    ),
}
"""Which colours stand on which."""


def themes(style: str) -> dict[str, dict[str, str]]:
    """The colours of each theme by name; what the dark one does not set is as in the light one."""
    blocks = re.findall(r"^(:root|\[data-theme=dark\]) \{(.*?)^\}", style, re.DOTALL | re.MULTILINE)
    read = {head: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", body)) for head, body in blocks}
    return {"light": read[":root"], "dark": read[":root"] | read["[data-theme=dark]"]}


def luminance(color: str) -> float:
    """Relative luminance of a colour (WCAG 2.1)."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.1), 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_as_defined() -> None:
    """Black on white is 21, a colour on itself 1."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("#345678", "#345678") == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("style", STYLES, ids=lambda path: path.stem)
def test_text_can_be_read(style: Path, theme: str) -> None:
    """Whatever text stands on, in both themes."""
    colours = themes(style.read_text("utf-8"))[theme]
    pairs = [(a, b) for b, over in ON.items() for a in over if a in colours and b in colours]
    assert len(pairs) >= 7
    weak = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < LEAST} == {}
