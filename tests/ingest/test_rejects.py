"""Rejects: their wire form, and the book of recent ones."""

from __future__ import annotations

import json

from bikes.errors import RejectReason
from ingest.rejects import OTHER, Reject, RejectBook, excerpt, payload_json


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
    """A reject goes out as the contract says, with an index only for an item of an array."""
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


def test_any_payload_has_a_wire_form() -> None:
    """Bytes that are no text, cut anywhere, are sent back as far as they are text."""
    payload = b"\x00\xff" + "智巡".encode() * 200
    wire = Reject(
        reason="not_json", detail="", received_at_ms=0, topic="", payload=excerpt(payload)
    )
    back = json.loads(payload_json(wire))["payload"]
    assert back.startswith("\x00\ufffd智巡")
    assert len(back.encode()) <= 512 + 9


def test_answerable_only_with_names() -> None:
    """A reject can be sent back when its topic names a vendor and a bike the contract allows."""
    assert reject().answerable
    assert not Reject(
        reason="unknown_bike", detail="", received_at_ms=0, topic="", payload="", vendor="hello"
    ).answerable


def test_book_keeps_the_last() -> None:
    """The book shows the newest first, keeps so many, and counts all."""
    book = RejectBook(keep=3)
    book.add(reject(number) for number in range(5))
    assert [entry.received_at_ms for entry in book.last()] == [4, 3, 2]
    assert [entry.received_at_ms for entry in book.last(1)] == [4]
    assert book.last(0) == []
    assert book.total == 5


def test_book_by_vendor_and_reason() -> None:
    """Rejects are counted, and found, by vendor and reason."""
    book = RejectBook()
    book.add([reject(1), reject(2, vendor="other"), reject(3, reason="not_json"), reject(4)])
    assert book.counts == {
        ("hello", "schema"): 2,
        ("other", "schema"): 1,
        ("hello", "not_json"): 1,
    }
    assert [r.received_at_ms for r in book.last(vendor="hello")] == [4, 3, 1]
    assert [r.received_at_ms for r in book.last(vendor="hello", reason="schema")] == [4, 1]
    assert [r.received_at_ms for r in book.last(1, reason="schema")] == [4]


def test_invented_vendors_do_not_fill_the_book() -> None:
    """Vendors beyond the limit are counted together; those known before keep their counts."""
    book = RejectBook(max_vendors=2)
    book.add(reject(vendor=f"v{number}", reason="unknown_vendor") for number in range(1000))
    book.add([reject(vendor="v1", reason="unknown_vendor")])
    assert book.counts == {
        ("v0", "unknown_vendor"): 1,
        ("v1", "unknown_vendor"): 2,
        (OTHER, "unknown_vendor"): 998,
    }
