"""Rejects: their wire form, and the book of recent ones."""

from __future__ import annotations

import json
from collections import Counter

import msgspec

from bikes.errors import RejectReason
from ingest.rejects import (
    OTHER,
    Refused,
    Reject,
    RejectBook,
    RejectedItem,
    excerpt,
    payload_json,
)


def reject(number: int = 0, *, vendor: str = "hello", reason: RejectReason = "schema") -> Reject:
    return Reject(
        reason=reason,
        detail="location.lat: expected float, got str",
        received_at_ms=number,
        topic=f"patrol/v1/{vendor}/b7/telemetry",
        payload="{}",
        vendor=vendor,
        bike_id="b7",
    )


def test_wire_form() -> None:
    """A reject goes out as the contract says; index, count and items are those of an array."""
    wire = json.loads(payload_json(reject(5)))
    assert wire == {
        "reason": "schema",
        "detail": "location.lat: expected float, got str",
        "received_at": 5,
        "topic": "patrol/v1/hello/b7/telemetry",
        "payload": "{}",
    }
    item = Reject(reason="schema", detail="", received_at_ms=5, topic="", payload="", index=0)
    assert json.loads(payload_json(item))["index"] == 0
    items = (RejectedItem(0, "schema", "a"), RejectedItem(4, "too_old", "b"))
    several = msgspec.structs.replace(item, count=300, items=items)
    assert json.loads(payload_json(several)) == {
        **json.loads(payload_json(item)),
        "count": 300,
        "items": [
            {"index": 0, "reason": "schema", "detail": "a"},
            {"index": 4, "reason": "too_old", "detail": "b"},
        ],
    }


def test_any_payload_has_a_wire_form() -> None:
    """Bytes that are no text, cut anywhere, are sent back as far as they are text."""
    payload = b"\x00\xff" + "智巡".encode() * 200
    wire = Reject(
        reason="not_json", detail="", received_at_ms=0, topic="", payload=excerpt(payload)
    )
    back = json.loads(payload_json(wire))["payload"]
    assert back.startswith("\x00\ufffd智巡")
    assert len(back.encode()) <= 512 + 9


def entered(book: RejectBook, *rejects: Reject) -> None:
    """Each in a step of its own, received when its number says."""
    for each in rejects:
        refused = Counter({Refused(each.kind, each.vendor, each.reason): each.count})
        book.add([each], refused)


def test_book_keeps_the_last_of_each_vendor() -> None:
    """The newest come first; a vendor that fills its part pushes out no other's."""
    book = RejectBook(["hello"], keep=3)
    entered(book, *(reject(number, vendor="hello") for number in range(2)))
    entered(book, *(reject(number, vendor=f"v{number}") for number in range(2, 100)))
    assert [(n, each.received_at_ms) for n, each in book.last()] == [
        (100, 99), (99, 98), (98, 97), (2, 1), (1, 0),
    ]  # fmt: skip


def test_book_counts_items_by_vendor_and_reason() -> None:
    """All kinds of messages, and all items of a message, told or not."""
    book = RejectBook(["hello"])
    book.add([], {Refused("telemetry", "hello", "schema"): 500})
    book.add([reject()], {Refused("event", "hello", "schema"): 2})
    book.add([], {Refused("telemetry", OTHER, "unknown_vendor"): 7})
    assert book.counts == {("hello", "schema"): 502, (OTHER, "unknown_vendor"): 7}
