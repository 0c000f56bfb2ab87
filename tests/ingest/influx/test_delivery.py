"""Good lines arrive, bad ones are found, and a store in trouble is not taken for bad lines."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import RequestTooLarge, StoreRejected, StoreUnavailable
from ingest.influx.delivery import Delivery, Gate, RejectsEverything


class Picky:
    """A store that keeps what it takes.

    Parameters
    ----------
    bad : set of bytes
        Lines that it rejects a whole request for.
    trouble : callable
        Given the number of a request: an error to raise instead, or None.
    """

    def __init__(self, bad: set[bytes], trouble: object = None, largest: int = 10**9) -> None:
        self.bad, self.trouble, self.largest = bad, trouble, largest
        self.has: set[bytes] = set()
        self.requests = 0

    def write(self, lines: bytes) -> None:
        self.requests += 1
        if callable(self.trouble) and (error := self.trouble(self.requests)) is not None:
            raise error
        if len(lines) > self.largest:
            raise RequestTooLarge("too large")
        parts = set(lines.splitlines(keepends=True))
        if parts & self.bad:
            raise StoreRejected("bad line")
        self.has |= parts


def numbered(count: int) -> list[bytes]:
    return [b"m x=%di 5\n" % number for number in range(count)]


def deliver(delivery: Delivery, gate: Gate, attempts: int = 1_000) -> None:
    """As the writer does: attempt until it is done."""
    for _ in range(attempts):
        try:
            delivery.attempt(gate)
        except StoreUnavailable:
            continue
        break
    assert delivery.done


def ready(store: Picky) -> Gate:
    """A store that has taken something before."""
    gate = Gate(store.write)
    gate.offer([b"control x=1i 1\n"])
    return gate


@given(st.integers(1, 200), st.sets(st.integers(0, 199), max_size=40), st.integers(20, 4_000))
def test_exactly_the_bad_lines_are_rejected(count: int, bad: set[int], largest: int) -> None:
    """Whatever their number and place, and however little the store takes at once."""
    lines = numbered(count)
    wrong = {lines[n] for n in bad if n < count}
    store = Picky(wrong, largest=largest)
    delivery = Delivery(b"".join(lines))
    deliver(delivery, ready(store))
    assert {text for item in delivery.rejected for text in item.lines} == wrong
    assert store.has - {b"control x=1i 1\n"} == set(lines) - wrong


@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 99), max_size=5))
def test_trouble_in_between_costs_nothing_but_time(seed: int, bad: set[int]) -> None:
    """Faults that have nothing to do with lines, at any moment, are no line's fault."""
    rng = random.Random(seed)

    def trouble(number: int) -> Exception | None:
        if rng.random() > 0.3:
            return None
        return StoreUnavailable("away")

    lines = numbered(100)
    wrong = {lines[n] for n in bad}
    store = Picky(wrong, trouble)
    gate = Gate(store.write)
    deliver(delivery := Delivery(b"first x=1i 1\n"), gate)
    deliver(delivery := Delivery(b"".join(lines)), gate)
    assert {text for item in delivery.rejected for text in item.lines} == wrong
    assert set(lines) - wrong <= store.has


def test_a_store_that_rejects_everything_for_a_while_is_not_believed() -> None:
    """It does not take what it took before: the lines are kept, whole, and nothing is blamed."""
    rejecting = True

    def trouble(number: int) -> Exception | None:
        return StoreRejected("not today") if rejecting and number > 1 else None

    store = Picky(set(), trouble)
    gate = ready(store)
    delivery = Delivery(b"".join(numbered(1_000)))
    for _ in range(5):
        with pytest.raises(RejectsEverything, match="not today, also what it took before"):
            delivery.attempt(gate)
    assert store.requests < 200
    rejecting = False
    before = store.requests
    delivery.attempt(gate)
    assert delivery.done
    assert not delivery.rejected
    assert store.requests - before < 60


def test_nothing_is_blamed_before_anything_was_taken() -> None:
    """With the first lines of a life it cannot be told whose fault it is; with the next it can."""
    store = Picky({b"m x=0i 5\n"})
    gate = Gate(store.write)
    delivery = Delivery(b"m x=0i 5\n")
    with pytest.raises(RejectsEverything, match="has taken nothing yet"):
        delivery.attempt(gate)
    Delivery(b"m x=1i 5\n").attempt(gate)
    delivery.attempt(gate)
    assert [item.lines for item in delivery.rejected] == [(b"m x=0i 5\n",)]


def test_one_bad_line_costs_few_requests() -> None:
    """Halving finds it: some thirty requests for ten thousand lines."""
    lines = numbered(10_000)
    store = Picky({lines[7_777]})
    delivery = Delivery(b"".join(lines))
    delivery.attempt(ready(store))
    assert len(delivery.rejected) == 1
    assert store.requests <= 2 * 14 + 8


def test_when_the_store_says_that_all_are_dropped_nothing_is_searched() -> None:
    """Ten thousand lines beyond the retention are ten thousand lines with one reason."""

    def trouble(number: int) -> Exception | None:
        dropped = StoreRejected("dropped=3", range(3))
        return dropped if number in (2, 4, 6) else None

    store = Picky(set(), trouble)
    delivery = Delivery(b"".join(numbered(3)))
    delivery.attempt(ready(store))
    assert [len(item.lines) for item in delivery.rejected] == [3]
    assert store.requests == 6


def test_what_was_achieved_is_kept() -> None:
    """After an interruption the lines that were taken are not sent again."""
    lines = numbered(8)
    failures = iter([None, None, None, StoreUnavailable("away")])
    store = Picky({lines[0]}, lambda number: next(failures, None))
    gate = ready(store)
    delivery = Delivery(b"".join(lines))
    with pytest.raises(StoreUnavailable):
        delivery.attempt(gate)
    deliver(delivery, gate)
    assert [item.lines for item in delivery.rejected] == [(lines[0],)]


def test_no_lines_are_delivered_already() -> None:
    """Nothing to do is done."""
    assert Delivery(b"").done
