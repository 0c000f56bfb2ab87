"""Servers that many tests need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running mosquitto that everybody may use; see `tests.broker` for one with passwords."""
    with Broker(tmp_path / "broker") as broker:
        yield broker
