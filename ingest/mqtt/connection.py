"""Address of a broker, our identity there, and the words for a connection that is not made."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bikes.topics import CANARIES
from files.secret import Secret
from ingest.errors import BrokerUnavailable

CONNECT_TIMEOUT_S = 10.0
"""A broker that has not accepted connection and subscriptions by then counts as not there."""

RECEIVE_MAX = 20_000
"""Messages a broker may have sent without our acknowledgement: four full batches."""

QOS_2 = 1 << 16
"""Added to the packet id of a message of QoS 2, whose acknowledgement is another packet."""

MAX_PACKET_BYTES = 16 * 1024 * 1024
"""A larger packet is never telemetry. MQTT 5 brokers are told not to send one."""


@dataclass(frozen=True)
class MqttOptions:
    """Address of the broker, and our identity there."""

    host: str
    port: int = 1883
    tls: bool = False  # whether the connection is encrypted and the broker's certificate checked
    protocol: Literal["5", "3.1.1"] = "5"  # version of MQTT, which decides the inlet that is used
    username: str | None = None
    password: Secret | None = None
    # PEM file of the authorities that may have signed the broker's certificate; the system's when
    # not given.
    ca_file: str | None = None
    # The name under which the broker keeps what we have not acknowledged. It must stay the same
    # over restarts and be used by one program at a time.
    client_id: str = "zhixun"
    filters: tuple[str, ...] = ()  # topic filters to subscribe to, at QoS 1
    # A silent connection is probed this often, and given up after half as long again [s].
    keep_alive_s: int = 30
    # Time for which the broker keeps our messages while we are away [s]; MQTT 5 only.
    session_expiry_s: int = 7 * 86_400

    @property
    def address(self) -> str:
        """The broker as a URL, without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what checks the broker's certificate; None without TLS.

        BrokerUnavailable: `ca_file` cannot be used.
        """
        if not self.tls:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as exc:
            raise BrokerUnavailable(f"the CA file {self.ca_file} cannot be used: {exc}") from exc


def refusal(options: MqttOptions, code: str) -> str:
    """Put into words that the broker refused the connection with this reason."""
    words = code.lower().replace("_", " ")
    text = f"the broker {options.address} refused the connection: {words}"
    if words in {"not authorized", "bad user name or password"}:
        who = f"the user name {options.username!r}" if options.username else "no user name"
        return f"{text}; it was given {who}, check user name and password"
    return text


def refused_filters(options: MqttOptions, codes: Iterable[str | None]) -> str:
    """Put into words that the broker refused topic filters; empty when it refused none.

    `codes` are the reasons for each filter of the options; None for one that was granted. Without
    its canary the station works all the same, and says what it lacks.
    """
    refused = [
        f"{pattern} ({code.lower().replace('_', ' ')})"
        for pattern, code in zip(options.filters, codes, strict=False)
        if code is not None and not pattern.startswith(CANARIES)
    ]
    if not refused:
        return ""
    return f"the broker {options.address} refused to subscribe us to {', '.join(refused)}"


def failure(options: MqttOptions, exc: BaseException) -> str:
    """Put into words why the network did not bring us to the broker."""
    where = options.address
    match exc:
        case ConnectionRefusedError():
            return f"no broker listens at {where}"
        case socket.gaierror() | UnicodeError():
            return f"the name of the broker {where} cannot be resolved"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {where} is not accepted: {exc.verify_message}"
        case ssl.SSLError():
            return f"no TLS connection to {where}: {exc.reason or exc}"
        case TimeoutError():
            return f"no answer from {where} within {CONNECT_TIMEOUT_S:.0f} s"
        case _:
            return f"no connection to {where}: {exc}"
