"""Each test of an inlet runs in both versions of MQTT."""

from __future__ import annotations

import pytest

from ingest.mqtt.inlet import MqttOptions
from tests.broker import Broker
from tests.inlets import FILTERS, Protocol


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def options(broker: Broker, protocol: Protocol) -> MqttOptions:
    return MqttOptions(broker.host, broker.port, protocol=protocol, filters=FILTERS)
