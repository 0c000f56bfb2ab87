"""Address of a broker, our identity there, and the words for a connection that is not made."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bikes.topics import CANARIES
from files.secret import Secret
from ingest.errors import BrokerRefused, BrokerUnavailable

CONNECT_TIMEOUT_S = 10.0
"""A broker that has not accepted connection and subscriptions by then counts as not there."""

RECEIVE_MAX = 20_000
"""Messages a broker may have sent without our acknowledgement: four full batches."""

QOS_2 = 1 << 16
"""Added to the packet id of a message of QoS 2, whose acknowledgement is another packet."""

MAX_PACKET_BYTES = 16 * 1024 * 1024
"""A larger packet is never telemetry. MQTT 5 brokers are told not to send one."""

STEADY_S = 10.0
"""A connection that lasted so long was a good one: the next waiting time is short again."""

SUBSCRIBE_FILTERS = 8
"""Filters in one SUBSCRIBE; AWS IoT Core closes the connection over more."""

Phase = Literal["connecting", "subscribing", "ready"]
"""How far a connection has come."""


@dataclass(frozen=True)
class MqttOptions:
    """Address of the broker, and our identity there."""

    host: str
    port: int = 1883
    tls: bool = False  # whether the connection is encrypted and the broker's certificate checked
    protocol: Literal["5", "3.1.1"] = "5"  # version of MQTT
    username: str | None = None
    password: Secret | None = None
    # PEM file of the authorities that may have signed the broker's certificate; the system's when
    # not given.
    ca_file: str | None = None
    # PEM files by which we say who we are, to a broker that asks for it.
    certificate: str | None = None
    key: str | None = None
    # The name under which the broker keeps what we have not acknowledged. It must stay the same
    # over restarts and be used by one program at a time.
    client_id: str = "zhixun"
    filters: tuple[str, ...] = ()  # topic filters to subscribe to, at QoS 1
    gone: tuple[str, ...] = ()  # filters to unsubscribe from, which the session may still have
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
        """Return what checks the broker's certificate, and holds ours; None without TLS.

        BrokerUnavailable: `ca_file`, or `certificate` and `key`, cannot be used.
        """
        if not self.tls:
            return None
        what = f"the CA file {self.ca_file}"
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate is not None:
                what = f"the client certificate {self.certificate} with its key {self.key}"
                context.load_cert_chain(self.certificate, self.key, password=b"")
        except (OSError, ValueError) as exc:
            raise BrokerUnavailable(f"{what} cannot be used: {exc}") from exc
        return context


@dataclass(frozen=True)
class Terms:
    """What a broker takes of a publisher; MQTT 3.1.1 does not say, and everything is tried."""

    retain: bool = True  # whether it keeps retained messages
    max_qos: int = 2
    receive_max: int = 65_535  # messages it takes without having acknowledged them
    max_packet_bytes: int = 1 << 28  # size of one message, topic included


_ADVICE = {
    **dict.fromkeys(
        ("not authorized", "bad user name or password", "bad authentication method"),
        "it was given {who}, check user name, password and certificate in [mqtt]",
    ),
    "unsupported protocol version": 'set protocol in [mqtt] to "{other}"',
    **dict.fromkeys(
        ("client id not valid", "client identifier not valid"), "set another client_id in [mqtt]"
    ),
    "banned": "its operator has banned the client id or the user name",
    **dict.fromkeys(
        ("use another server", "server moved"), "set url in [mqtt] to the server it names"
    ),
    "session taken over": "another program uses the client id {client_id!r}",
}


def in_words(options: MqttOptions, code: str, *said: str | None) -> str:
    """A reason code of MQTT in words, with what the broker said beside it, and what to do."""
    words = code.lower().replace("_", " ")
    notes = ", ".join(note for note in said if note)
    advice = _ADVICE.get(words, "").format(
        who=f"the user name {options.username!r}" if options.username else "no user name",
        other="3.1.1" if options.protocol == "5" else "5",
        client_id=options.client_id,
    )
    return words + (f" ({notes})" if notes else "") + (f"; {advice}" if advice else "")


def refusal(options: MqttOptions, code: str, *said: str | None) -> str:
    """Put into words that the broker refused the connection with this reason."""
    reason = in_words(options, code, *said)
    return f"the broker {options.address} refused the connection: {reason}"


def dismissal(options: MqttOptions, code: str, *said: str | None) -> str:
    """Put into words that the broker ended the connection with this reason."""
    return f"{options.address} ended the connection: {in_words(options, code, *said)}"


def closed(options: MqttOptions, phase: Phase, why: object = "") -> str:
    """Put into words that the broker closed the connection without a word."""
    text = f"{options.address} closed the connection{f': {why}' if why else ''}"
    if phase == "connecting":
        how = f"MQTT {options.protocol} {'with' if options.tls else 'without'} TLS"
        if options.tls and options.certificate is None:
            how += ", and without a client certificate"
        return f"{text} before it answered; does it speak {how}, as [mqtt] says?"
    if phase == "subscribing":
        return f"{text} when asked for {', '.join(options.filters)}; may we read all of them?"
    return text


def granted(
    options: MqttOptions, filters: Iterable[str], codes: Iterable[tuple[int, str]]
) -> list[str]:
    """What the broker grants less than was asked for, in words.

    `codes` are its answers for each filter, as numbers and names. Without its canary the station
    works all the same, and says what it lacks.

    BrokerRefused: it refused one, or answered for others.
    """
    try:
        found = list(zip(filters, codes, strict=True))
    except ValueError:
        where = f"the broker {options.address}"
        raise BrokerRefused(f"{where} answered for other filters than it was asked for") from None
    refused = [
        f"{pattern} ({in_words(options, name)})"
        for pattern, (code, name) in found
        if code >= 0x80 and not pattern.startswith(CANARIES)
    ]
    if refused:
        raise BrokerRefused(
            f"the broker {options.address} refused to subscribe us to {', '.join(refused)}"
        )
    if any(code == 0 for _, (code, _) in found):
        return ["the broker delivers at QoS 0: what bikes send while the station is away is lost"]
    return []


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
