"""What can go wrong on the way in. The class tells the caller what to do."""

from __future__ import annotations


class IngestError(Exception):
    """Root of the errors of this package."""


class StoreUnavailable(IngestError):
    """The store cannot take or give anything now: keep what you hold, back off, try again."""


class LogCorrupt(IngestError):
    """A part of the log cannot be read any more: show it to a person, nothing repairs itself.

    Parameters
    ----------
    detail : str
        What is wrong and where.
    seq : int, optional
        Number of the last message of the unreadable entry. A reader that wants to go on
        without it commits this number.
    """

    def __init__(self, detail: str, seq: int | None = None) -> None:
        super().__init__(detail)
        self.seq = seq


class BrokerUnavailable(IngestError):
    """There is no usable connection to the broker: back off, try again. The text says why."""


class BrokerRefused(BrokerUnavailable):
    """The broker is there and said no, to the connection or to a subscription.

    Trying again helps only after somebody has changed a setting, so the reason must be shown.
    """


class MalformedPacket(BrokerUnavailable):
    """The broker sent bytes that are not MQTT as it was agreed on."""
