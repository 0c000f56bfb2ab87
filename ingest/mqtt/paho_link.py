"""One MQTT connection made with paho-mqtt, in a thread of its own.

A link connects once and ends once; whoever wants another makes another. So nothing meant for
an old connection can ever be sent on a new one, and waiting before the next try is the
business of one place only, which is not paho.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.errors import BrokerUnavailable
from ingest.mqtt.connection import MqttOptions, Phase, Terms, closed, dismissal, failure, refusal

LOOP_S = 0.5
CONNECT_TIMEOUT_S = 5.0


class PahoLink:
    """A connection to the broker of `options`.

    Filters of `options` are not used, and the broker keeps no session. `on_connected` is called
    once, when the broker has accepted the connection; `on_ended` once with the reason, last of all.
    `terms` are what the broker said when it accepted.

    Callbacks run in the link's thread, those set on `client` too.
    """

    def __init__(
        self,
        options: MqttOptions,
        client_id: str,
        *,
        on_connected: Callable[[], None],
        on_ended: Callable[[str], None],
    ) -> None:
        self._options = options
        self._on_connected = on_connected
        self._on_ended = on_ended
        self._closing = False
        self._reason = ""
        self._phase: Phase = "connecting"
        self.terms = Terms()
        mqtt_5 = options.protocol == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if mqtt_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if mqtt_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self.client = client
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        # With this set, packets queued by other threads are written by the link's thread only.
        client.on_socket_register_write = lambda *_: None
        if options.username is not None:
            password = options.password
            client.username_pw_set(
                options.username, None if password is None else password.get_secret_value()
            )
        self._thread = threading.Thread(target=self._run, name=f"mqtt {client_id}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def close(self) -> None:
        """Say goodbye after what is queued; `on_ended` follows."""
        self._closing = True
        self.client.disconnect()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        reason = ""
        try:
            tls = self._options.tls_context()
            if tls is not None:
                self.client.tls_set_context(tls)
            options = self._options
            self.client.connect(options.host, options.port, options.keep_alive_s)
            if self._closing:
                self.client.disconnect()
            while (code := self.client.loop(LOOP_S)) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                pass
            if code == MQTTErrorCode.MQTT_ERR_PROTOCOL:
                reason = f"{options.address} does not speak MQTT {options.protocol} as we know it"
            else:
                reason = closed(options, self._phase)
        except BrokerUnavailable as exc:
            reason = str(exc)
        except (OSError, ValueError) as exc:
            reason = failure(self._options, exc)
        except Exception as exc:  # noqa: BLE001 - the outermost loop of this thread
            what = f"what is not MQTT {self._options.protocol}"
            reason = f"{self._options.address} sent {what}: {exc!r}"
        finally:
            self._on_ended(self._reason or reason)

    def _connected(
        self,
        client: object,
        data: object,
        flags: paho.ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        said = _said(properties)
        if code.is_failure:
            self._reason = refusal(self._options, str(code), *map(said.get, _NOTES))
            return
        self.terms = Terms(
            retain=bool(said.get("RetainAvailable", True)),
            max_qos=said.get("MaximumQoS", Terms.max_qos),
            receive_max=said.get("ReceiveMaximum", Terms.receive_max),
            max_packet_bytes=said.get("MaximumPacketSize", Terms.max_packet_bytes),
        )
        self._phase = "ready"
        self._on_connected()

    def _disconnected(
        self,
        client: object,
        data: object,
        flags: paho.DisconnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._reason:
            return
        if flags.is_disconnect_packet_from_server:
            notes = map(_said(properties).get, _NOTES)
            self._reason = dismissal(self._options, str(code), *notes)
        elif str(code) == "Keep alive timeout":
            self._reason = f"{self._options.address} has not answered in time"


_NOTES = "ReasonString", "ServerReference"


def _said(properties: Properties | None) -> dict[str, Any]:
    """Properties of a packet by name; MQTT 3.1.1 has none."""
    return {} if properties is None else properties.json()  # type: ignore[no-untyped-call]
