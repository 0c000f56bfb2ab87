"""What the API says of vendors, and how a bike is put on a list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bikes.roster import BikeKey
from ingest.accounts import Account
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.listen import Stray, listen
from ingest.rejects import Refused
from tests.dashboards.conftest import Api
from tests.dashboards.district import District


def hello(api: Api) -> Any:
    """What is said of the vendor whose bikes are on a list."""
    return next(v for v in api.get("/api/v1/vendors").json()["vendors"] if v["vendor"] == "hello")


def test_a_new_vendor_is_told_what_to_send(api: Api, district: District) -> None:
    """Until the first message that is accepted; why the last one was refused stands beside it."""
    found = hello(api)
    assert (found["state"], found["received"], found["delay_s"]) == ("waiting", 0, None)
    first = found["first_message"]
    assert first["topic"] == "patrol/v1/hello/B1/telemetry"
    assert first["command"].endswith(f"-t {first['topic']} -m '{first['payload']}'")

    district.accounts["hello"] = Account(received=1, rejected=1)
    district.reject(payload="{\x07\u202e")
    found = hello(api)
    assert found["state"] == "refused"
    assert "first_message" in found
    (refusal,) = found["refusals"]
    assert (refusal["reason"], refusal["items"]) == ("not_json", 1)
    assert refusal["last"]["payload"] == r"{\x07\u202e"
    assert refusal["last"]["detail"] == "truncated"

    district.accounts["hello"] = Account(received=2, rejected=1)
    found = hello(api)
    assert found["state"] == "sending"
    assert "first_message" not in found


def test_how_late_messages_are_and_whose_clock_is_off(api: Api, district: District) -> None:
    """The median of the bikes that were heard lately, and those that differ from it."""
    for bike, late_s in enumerate((1, 2, 2, 3, 3600, -120)):
        batch = district.patrol(bike, "cy-01", at_ms=district.now_ms - 7_200_000, fixes=1)
        said = replace(batch, timestamp_ms=np.array([district.now_ms - late_s * 1000]))
        district.fleet.update(said, heard_at_ms=district.now_ms)
    old = district.patrol(9, "cy-01", at_ms=district.now_ms - 7_200_000, fixes=1)
    district.fleet.update(old, heard_at_ms=district.now_ms - 3_600_000)
    found = hello(api)
    assert found["delay_s"] == pytest.approx(2.0)
    assert found["clocks"] == [
        {"bike_id": "bike-04", "offset_s": 3600.0},
        {"bike_id": "bike-05", "offset_s": -120.0},
    ]
    assert found["rate_per_s"] == pytest.approx(2.0)


def test_a_bike_is_accepted_and_struck_off(api: Api, district: District) -> None:
    """It is on the list at once and kept; what is on no list, or in the configuration, is said."""
    unknown = {BikeKey("hello", "new-1"): 3, BikeKey("hello", "a b"): 1, BikeKey("other", "x"): 1}
    district.rejects.add([], {Refused("telemetry", "hello", "unknown_bike"): 4}, None, unknown, 1)
    found = hello(api)["unknown_bikes"]
    assert [(each["bike_id"], each["acceptable"]) for each in found] == [
        ("a b", False),
        ("new-1", True),
    ]
    answer = api.post("/api/v1/vendors/hello/bikes", {"bike_id": "new-1"})
    assert answer.status_code == 201
    assert answer.json()["accepted"] == ["new-1"]
    assert [each["bike_id"] for each in answer.json()["unknown_bikes"]] == ["a b"]
    assert district.roster.index("hello", "new-1") == 28
    assert district.kept == [(BikeKey("hello", "new-1"),)]

    def refused(vendor: str, bike_id: str) -> tuple[int, str]:
        again = api.post(f"/api/v1/vendors/{vendor}/bikes", {"bike_id": bike_id})
        return again.status_code, again.json()["reason"]

    assert refused("hello", "new-1") == (409, "already_listed")
    assert refused("hello", "a b") == (422, "invalid_bike_id")
    assert refused("other", "x") == (409, "any_bike")
    assert refused("nobody", "x") == (404, "unknown_vendor")

    def strike(bike_id: str) -> Any:
        return api.ask("DELETE", f"/api/v1/vendors/hello/bikes/{bike_id}").json()

    assert strike("bike-01")["reason"] == "configured"
    assert strike("new-9")["reason"] == "unknown_bike"
    assert strike("new-1")["accepted"] == []
    assert district.roster.lists("hello") == {f"bike-{n:02}" for n in range(28)}
    assert district.kept[-1] == ()


def test_topics_that_nobody_reads(api: Api, district: District) -> None:
    """As they are shown; 503 with the reason where the broker cannot be listened to."""
    district.vendors.listen = lambda name, for_s: (["v/#"], [Stray("v/\x07", 2, "\x00x", 2)])
    (found,) = api.post("/api/v1/vendors/hello/listen").json()["topics"]
    assert (found["topic"], found["payload"], found["messages"]) == (r"v/\x07", r"\x00x", 2)
    nowhere = MqttOptions("127.0.0.1", 1)
    district.vendors.listen = lambda name, for_s: ([], listen(nowhere, [], [], for_s))
    answer = api.post("/api/v1/vendors/hello/listen")
    assert (answer.status_code, answer.json()["reason"]) == (503, "broker_unavailable")
    assert "no broker listens" in answer.json()["detail"]
