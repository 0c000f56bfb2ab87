"""A shipped broker with secrets of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.mqtt import ShippedBroker, make_secrets


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what docker/secrets.sh makes for localhost and the vendors hello and acme."""
    folder = tmp_path_factory.mktemp("made")
    make_secrets(folder, "localhost")
    make_secrets(folder, "vendor", "acme")
    return folder


@pytest.fixture
def shipped(made: Path, tmp_path: Path) -> Iterator[ShippedBroker]:
    """A running broker as it is shipped."""
    shutil.copytree(made / "secrets", tmp_path / "secrets")
    shutil.copy(made / ".env", tmp_path)
    with ShippedBroker(tmp_path) as broker:
        yield broker
