"""Catalogues as TOML files: read whole, or refused with the place of the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from words.catalogue import read, texts


def test_a_table_gives_its_name_to_its_keys(tmp_path: Path) -> None:
    """Files of a folder are one catalogue; a quoted key may have dots of its own."""
    (tmp_path / "a.toml").write_text('"page.map" = ["地图", "Map"]\n', "utf-8")
    (tmp_path / "b.toml").write_text('[state]\ndue = ["即将超时", "due soon"]\n', "utf-8")
    (tmp_path / "notes.md").write_text("for translators")
    found = read(tmp_path)
    assert texts(found, "zh") == {"page.map": "地图", "state.due": "即将超时"}
    assert texts(found, "en") == {"page.map": "Map", "state.due": "due soon"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('due = "due"\n', "state.due is not"),
        ('due = ["即将超时"]\n', "state.due is not"),
        ('late = ["超时", "late"]\n', "state.late stands in another place too"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    """A half entry, or one that stands twice, would show a wrong word one day."""
    (tmp_path / "a.toml").write_text('[state]\nlate = ["超时", "late"]\n', "utf-8")
    (tmp_path / "b.toml").write_text(f"[state]\n{text}", "utf-8")
    with pytest.raises(ValueError, match=message):
        read(tmp_path)
