"""Errors of the intake. The class tells the caller what to do."""

from __future__ import annotations

from os import PathLike
from pathlib import Path


class IngestError(Exception):
    """Root of the errors of this package."""


class StoreUnavailable(IngestError):
    """The store does not work now: keep the data, back off, try again."""


class StoreThrottled(StoreUnavailable):
    """The store asks for a pause: keep the data, and try again after it.

    `retry_after_s` is its length [s]; None when the store did not say.
    """

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class StoreRejected(IngestError):
    """The store has read the lines and rejects them: trying again does not help.

    `indices` are the positions of the offending lines; None when the store did not say, or not
    for sure.
    """

    def __init__(self, detail: str, indices: range | None = None) -> None:
        super().__init__(detail)
        self.indices = indices


class RequestTooLarge(IngestError):
    """The request is too large for the store: split it."""


class LogCorrupt(IngestError):
    """The log, or an entry of it, cannot be read."""


class ArchiveDamaged(IngestError):
    """A file of the archive cannot be read: show it to a person, nothing repairs itself."""

    def __init__(self, file: str | PathLike[str], reason: str) -> None:
        super().__init__(
            f"the archive file {file} cannot be read ({reason}): restore it from a backup, or "
            "move it away to go on without what it holds; then start again"
        )
        self.file = Path(file)


class SnapshotDamaged(IngestError):
    """The snapshot cannot be read: the next start makes a new one from archive and log."""

    def __init__(self, file: str | PathLike[str], reason: str) -> None:
        super().__init__(
            f"the snapshot {file} cannot be read ({reason}): the next start makes a new one"
        )


class BrokerUnavailable(IngestError):
    """There is no usable connection to the broker: back off, try again. The text says why."""


class BrokerRefused(BrokerUnavailable):
    """The broker is there and said no, to the connection or to a subscription.

    Trying again helps only after somebody has changed a setting, so the reason must be shown.
    """


class MalformedPacket(BrokerUnavailable):
    """The broker sent bytes that are not MQTT as it was agreed on."""
