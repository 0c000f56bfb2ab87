"""The rule about vendors most of whose bikes fall silent."""

from __future__ import annotations

from alerts.fleet import VendorFacts

from .district import OFF, District, FakeFleet


def test_a_vendor_whose_bikes_fall_silent_is_one_alert() -> None:
    """Not one for each of 60 bikes; those that are still silent when most are back have their own.

    The bikes were heard last evening, and duty begins at eight.
    """
    fleet = FakeFleet()
    fleet.put("mo/m1", heard="30 00:00")  # of another vendor, always heard
    fleet.sent["hello"] = VendorFacts(0, 0)
    for number in range(60):
        fleet.put(f"hello/B{number:02}", heard="23 17:55")
    district = District(off=(*OFF, "zone_unpatrolled"), fleet=fleet, target=0.1, frequency="99h")
    assert district.run("24 08:00", "24 12:00", step_s=60) == [
        ("24 08:26", "hello/vendor_silent raise"),
        ("24 08:27", "hello/vendor_silent activate"),
    ]
    alert = district.book.find(rule="vendor_silent")[0]
    assert alert.evidence == {"silent": 60, "heard": 60}
    for number in range(58):
        fleet.put(f"hello/B{number:02}", heard="24 14:00")
    assert district.run("24 14:01", "24 14:10", step_s=60) == [
        ("24 14:01", "hello/B58/bike_offline raise"),
        ("24 14:01", "hello/B59/bike_offline raise"),
        ("24 14:01", "hello/vendor_silent return"),
        ("24 14:02", "hello/B58/bike_offline activate"),
        ("24 14:02", "hello/B59/bike_offline activate"),
        ("24 14:06", "hello/vendor_silent close"),
    ]


def test_few_silent_bikes_are_alerts_of_their_own() -> None:
    """49 of 49 are a small fleet: a person wants to see each."""
    fleet = FakeFleet()
    fleet.put("mo/m1", heard="30 00:00")
    for number in range(49):
        fleet.put(f"hello/B{number:02}", heard="24 08:00")
    district = District(off=(*OFF, "zone_unpatrolled"), fleet=fleet, target=0.1, frequency="99h")
    told = {what for _, what in district.run("24 08:00", "24 09:00", step_s=60)}
    assert len(told) == 2 * 49
    assert not any("vendor_silent" in what for what in told)
