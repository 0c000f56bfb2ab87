"""The InfluxDB that the dashboards are asked of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dashboards.grafana.day import known_day
from tests.influx_servers import Influx1


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx1]:
    """An InfluxDB that knows the day."""
    with Influx1(tmp_path_factory.mktemp("influx")) as server:
        status, text = server.write(known_day())
        assert status == 204, text
        yield server
