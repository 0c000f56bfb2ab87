"""What a payload or a file is that cannot be read, told by how it begins."""

from __future__ import annotations

import re

_UTF_16 = "it is UTF-16 or UTF-32; send or save it as UTF-8"
_MAGIC = {
    "gzip": rb"\x1f\x8b",
    "zip": rb"PK\x03\x04",
    "zstd": rb"\x28\xb5\x2f\xfd",
    "bzip2": rb"BZh\d",
    "xz": rb"\xfd7zX",
    "LZ4": rb"\x04\x22\x4d\x18",
    "zlib": rb"x[\x01\x5e\x9c\xda]",
}
"""How compressed data begin."""

_ENCODINGS = (
    (re.compile(rb"\xff\xfe|\xfe\xff"), _UTF_16),
    (re.compile(rb"[\s -~]\0[\s -~]\0|\0[\s -~]\0[\s -~]"), _UTF_16),
    (re.compile(rb'[\[{"<]\0\0\0|\0\0\0[\[{"<]'), _UTF_16),
    *((re.compile(magic), f"it is {name}; unpack it") for name, magic in _MAGIC.items()),
)
_TEXTS = (
    (re.compile(rb"\s*\Z"), "the payload is empty"),
    (re.compile(rb"\xef\xbb\xbf"), "starts with a byte order mark; send UTF-8 without one"),
    (
        re.compile(rb"[\x80-\xff]|[^\0-\x08\x0e-\x1f]{0,63}[\0-\x08\x0e-\x1f]"),
        "is binary, as CBOR, MessagePack and protobuf are; JSON is wanted",
    ),
    (re.compile(rb"\{?'"), "single quotes; JSON wants double quotes"),
    (re.compile(rb'"\s*[\[{]'), "is JSON within a text; send the object itself"),
    (re.compile(rb"\s*<"), "looks like XML; JSON is wanted"),
    (re.compile(rb"[$!][A-Z]{5},"), "looks like NMEA; JSON is wanted"),
    (re.compile(rb"[\w.%-]+=[^&\s]*(?:&|\s*\Z)"), "looks like a web form; JSON is wanted"),
    (re.compile(rb'"?[\w .:+/-]+"?[ ]*[,;\t|]'), "looks like CSV; JSON is wanted"),
    (re.compile(rb"eyJ|W3s|ewo|ew0"), "looks like base64; send the JSON itself"),
)


def foreign(head: bytes, *, xml: bool = False) -> str | None:
    """What is no text in UTF-8, by its first four bytes or more; None when it may be one.

    XML may be in UTF-16.
    """
    found = next((what for begins, what in _ENCODINGS if begins.match(head)), None)
    return None if xml and found == _UTF_16 else found


def no_json(payload: bytes) -> str | None:
    """What a payload is that is no JSON object or array; None when nobody can tell."""
    found = (what for begins, what in _TEXTS if begins.match(payload))
    return foreign(payload) or next(found, None)
