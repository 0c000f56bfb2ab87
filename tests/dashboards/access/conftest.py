"""Access control, with and without the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.access.access import Access
from tests.dashboards.access.people import Clock, People, new_access
from tests.dashboards.district import District


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def access(tmp_path: Path, clock: Clock) -> Iterator[Access]:
    """A new file of users."""
    access = new_access(tmp_path / "access.sqlite", clock)
    yield access
    access.close()


@pytest.fixture
def people(district: District, access: Access) -> People:
    """A viewer, a dispatcher and an administrator who have signed in."""
    people = People(district, access)
    for name, role in (("vera", "viewer"), ("deng", "dispatcher"), ("ada", "admin")):
        people.add(name, role)  # type: ignore[arg-type]
        assert people.sign_in(name).status_code == 201
    return people
