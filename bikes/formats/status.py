"""Connection status: an object, or a word for devices that can do no more in a last will."""

from __future__ import annotations

import msgspec

from bikes.errors import DecodeError
from bikes.formats.reading import Reader


class StatusMessage(msgspec.Struct, gc=False, kw_only=True):
    """What a status topic carries.

    Attributes
    ----------
    online : bool
        Whether the bike is connected.
    timestamp : int, optional
        When it was said; in a last will, when the connection began [ms since the epoch].
    """

    online: bool
    timestamp: int | None = None


_reader: Reader[StatusMessage] = Reader(StatusMessage)
_WORDS = {b"online": True, b"offline": False}


def decode(payload: bytes) -> StatusMessage | None:
    """The status a payload says; None when it is empty.

    An empty payload is how a retained message is deleted (MQTT 5, 3.3.1.3); it says nothing.

    Raises
    ------
    DecodeError
        ``not_json`` or ``schema``.
    """
    if not payload:
        return None
    # A JSON string, "online" in quotes, is what a careful device makes of the word.
    word = payload.strip().strip(b'"').lower()
    if word in _WORDS:
        return StatusMessage(online=_WORDS[word])
    try:
        return _reader.one(payload)
    except DecodeError as exc:
        if exc.reason != "not_json":
            raise
        detail = f'{exc.detail}; send {{"online": true}} or the words online, offline'
        raise DecodeError("not_json", detail) from exc
