"""The roster: who is accepted, and under which number."""

from __future__ import annotations

import pytest

from bikes.errors import UnknownBike, UnknownVendor
from bikes.roster import BikeKey, Roster


def test_listed_bikes_only() -> None:
    """A vendor with a list has its bikes from the start, and no others."""
    roster = Roster({"hello": ["a", "b"]})
    assert roster.keys == [BikeKey("hello", "a"), BikeKey("hello", "b")]
    assert roster.index("hello", "b") == 1
    with pytest.raises(UnknownBike):
        roster.index("hello", "c")
    assert len(roster) == 2


def test_any_bike_gets_the_next_number_once() -> None:
    """A vendor that may have any bike gets numbers in order of first appearance, for good."""
    roster = Roster({"hello": "any"})
    assert [roster.index("hello", bike) for bike in "abab"] == [0, 1, 0, 1]
    assert roster.key(1) == BikeKey("hello", "b")
    assert BikeKey("hello", "b") in roster


def test_unknown_vendor() -> None:
    """A vendor that is not configured is refused, and leaves no trace."""
    roster = Roster({"hello": "any"})
    with pytest.raises(UnknownVendor):
        roster.index("other", "a")
    assert len(roster) == 0


def test_bikes_of_two_vendors_are_two() -> None:
    """The same id at two vendors is two bikes; a person finds both."""
    roster = Roster({"hello": "any", "other": "any"})
    assert roster.index("hello", "a") != roster.index("other", "a")
    assert roster.find("a") == [BikeKey("hello", "a"), BikeKey("other", "a")]
    assert str(roster.key(0)) == "hello/a"


def test_restored_bikes_keep_their_keys() -> None:
    """Bikes of an earlier life get numbers of today; those that are known keep theirs."""
    roster = Roster({"hello": ["a"]})
    assert roster.restore([BikeKey("gone", "x"), BikeKey("hello", "a")]) == [1, 0]
    assert roster.key(1) == BikeKey("gone", "x")


def test_restored_bikes_are_not_accepted_for_that() -> None:
    """A bike that was struck off the list is refused, also when a snapshot still has it."""
    roster = Roster({"hello": ["a"]})
    roster.restore([BikeKey("hello", "b"), BikeKey("gone", "x")])
    with pytest.raises(UnknownBike):
        roster.index("hello", "b")
    with pytest.raises(UnknownVendor):
        roster.index("gone", "x")
