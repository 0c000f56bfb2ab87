"""Servers that many tests need."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.broker import Broker

# A busy machine is no failure. In CI (`CI` is set) Hypothesis tries the same examples each time.
settings.register_profile("zhixun", parent=settings(), deadline=None)
settings.load_profile("zhixun")

# What tests import stays until the end. Looking for garbage in it took a quarter of their time.
gc.set_threshold(20_000, 10, 10)


def pytest_collection_finish() -> None:
    """Look for garbage only in what tests make from now on."""
    gc.freeze()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running mosquitto that everybody may use; see `tests.broker` for one with passwords."""
    with Broker(tmp_path / "broker") as broker:
        yield broker
