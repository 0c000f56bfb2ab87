"""A folder for a configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.patrol.configurations import square, write_zones


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with zones, and an environment without settings."""
    for name in os.environ:
        if name.startswith("PATROL_"):
            monkeypatch.delenv(name)
    write_zones(tmp_path, square("z1"), square("z2", lat=36.32))
    return tmp_path
