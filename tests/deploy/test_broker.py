"""The shipped mosquitto.conf and ACL, in a real mosquitto: who may do what."""

from __future__ import annotations

import os
import re
import ssl
import subprocess

import pytest

from tests.deploy.mqtt import Client, Refused, ShippedBroker, make_secrets
from tests.deploy.test_compose import SERVICES
from tests.patience import PATIENCE_S
from tests.servers import REPOSITORY

CONF = (REPOSITORY / "docker/mosquitto/mosquitto.conf").read_text("utf-8")
BIKES, INTERVAL_S, DAY_S = 28, 3, 86_400
OK = {"SUCCESS", "NO_MATCHING_SUBSCRIBERS"}


def number(option: str) -> int:
    """The value of an option of mosquitto.conf."""
    return int(re.findall(rf"^{option} (\d+)$", CONF, re.MULTILINE)[0])


def test_queue_holds_a_day_of_outage() -> None:
    """28 bikes with a fix every 3 s fit twice, by number and by bytes."""
    messages = BIKES * DAY_S // INTERVAL_S
    assert number("max_queued_messages") >= 2 * messages
    assert number("max_queued_bytes") >= 2 * messages * 250


def test_messages_too_large_for_the_station_reach_it() -> None:
    """The contract's 256 KiB are refused by the station, with a reason, and not by the broker."""
    assert number("message_size_limit") >= 2 * 262_144


def test_opens_the_ports_of_the_file_and_no_others(shipped: ShippedBroker) -> None:
    """A setting of a listener above the first one makes a third listener, on port 1883 again.

    In the container, where the first one has that port, mosquitto would then not start.
    """
    assert shipped.listens == {shipped.port, shipped.tls_port}


def test_files_for_all_connections() -> None:
    """Docker gives a program 1,024 open files unless it is told otherwise."""
    per_listener = [int(n) for n in re.findall(r"^max_connections (\d+)$", CONF, re.MULTILINE)]
    assert len(per_listener) == len(re.findall(r"^listener ", CONF, re.MULTILINE))
    limit = SERVICES["mosquitto"]["ulimits"]["nofile"]
    assert limit["soft"] == limit["hard"] >= sum(per_listener) + 100


def test_nobody_comes_in_without_name_and_password(shipped: ShippedBroker) -> None:
    """Anonymous, wrong password, unknown user: all are refused."""
    for user, password in ((None, None), ("hello", "guess"), ("hello", ""), ("nobody", "x")):
        with pytest.raises(Refused, match=r"NOT_AUTHORIZED|BAD_USER_NAME"):
            Client(shipped, user, password)


@pytest.mark.parametrize("kind", ["telemetry", "event", "status"])
def test_vendor_reaches_the_station(shipped: ShippedBroker, kind: str) -> None:
    """What a vendor says on its own topics is delivered to the station."""
    station = shipped.connect("patrol")
    station.subscribe(f"patrol/v1/+/+/{kind}")
    assert shipped.connect("hello").publish(f"patrol/v1/hello/HB001/{kind}", b"1") == "SUCCESS"
    topic = f"patrol/v1/hello/HB001/{kind}"
    assert station.until(topic) == [(topic, b"1")]


@pytest.mark.parametrize(
    "topic",
    [
        "patrol/v1/acme/HB001/telemetry",
        "patrol/v1/acme/HB001/status",
        "patrol/v1/hello/HB001/rejected",
        "patrol/v1/hello/HB001/other",
        "patrol/v1/hello/telemetry",
        "patrol/v1/hello/a/b/telemetry",
        "patrol/v1/coverage/cy-01",
        "patrol/v1/alerts/cy-01/zone_unpatrolled",
        "patrol/v2/hello/HB001/telemetry",
        "elsewhere",
        "$SYS/broker/uptime",
    ],
)
def test_vendor_publishes_nothing_but_its_own(shipped: ShippedBroker, topic: str) -> None:
    """Another vendor's topics, the station's topics and all others are refused."""
    witness = shipped.connect("patrol")
    witness.subscribe("patrol/v1/+/+/telemetry", "patrol/v1/+/+/status")
    vendor = shipped.connect("hello")
    assert vendor.publish(topic) == "NOT_AUTHORIZED"
    vendor.publish("patrol/v1/hello/HB001/telemetry")
    assert [seen for seen, _ in witness.until("patrol/v1/hello/HB001/telemetry")] == [
        "patrol/v1/hello/HB001/telemetry"
    ]


def test_the_station_hears_itself(shipped: ShippedBroker) -> None:
    """Its canary comes back to it; no vendor can send one."""
    topic, station = "patrol/v1/canary/zhixun", shipped.connect("patrol")
    station.subscribe(topic)
    assert shipped.connect("hello").publish(topic) == "NOT_AUTHORIZED"
    assert station.publish(topic, b"1") == "SUCCESS"
    assert station.until(topic) == [(topic, b"1")]


def test_vendor_reads_nothing_but_its_rejects(shipped: ShippedBroker) -> None:
    """A vendor that subscribes to everything is sent only why its own messages were refused."""
    vendor = shipped.connect("hello")
    vendor.subscribe("#", "patrol/#", "patrol/v1/acme/+/rejected", "patrol/v1/acme/+/telemetry")
    other = shipped.connect("acme")
    other.publish("patrol/v1/acme/A1/telemetry")
    station = shipped.connect("patrol")
    station.publish("patrol/v1/acme/A1/rejected")
    station.publish("patrol/v1/coverage/cy-01", retain=True)
    station.publish("patrol/v1/alerts/cy-01/zone_unpatrolled", retain=True)
    station.publish("patrol/v1/hello/HB001/rejected", b"why")
    mine = "patrol/v1/hello/HB001/rejected"
    assert set(vendor.until(mine)) == {(mine, b"why")}


def test_a_will_is_a_message_like_others(shipped: ShippedBroker) -> None:
    """A bike's last will reaches the station; a will on another vendor's topic does not."""
    station = shipped.connect("patrol")
    station.subscribe("patrol/v1/+/+/status")
    shipped.connect("hello", will=("patrol/v1/acme/A1/status", b"offline")).vanish()
    mine = "patrol/v1/hello/HB001/status"
    shipped.connect("hello", will=(mine, b"offline")).vanish()
    assert station.until(mine) == [(mine, b"offline")]


def test_station_may_do_what_it_does(shipped: ShippedBroker) -> None:
    """It publishes rejects, coverage and alerts, and cannot pretend to be a bike."""
    station = shipped.connect("patrol")
    for topic in ("hello/HB001/rejected", "coverage/cy-01", "alerts/cy-01/zone_unpatrolled"):
        assert station.publish(f"patrol/v1/{topic}") in OK
    for topic in ("hello/HB001/telemetry", "patrol/HB001/telemetry", "hello/HB001/status"):
        assert station.publish(f"patrol/v1/{topic}") == "NOT_AUTHORIZED"


def test_dispatch_sees_and_changes_nothing(shipped: ShippedBroker) -> None:
    """The read-only user gets coverage and alerts, also those that were there before it."""
    station = shipped.connect("patrol")
    station.publish("patrol/v1/coverage/cy-01", b"early", retain=True)
    desk = shipped.connect("dispatch")
    desk.subscribe("patrol/#")
    station.publish("patrol/v1/hello/HB001/rejected")
    station.publish("patrol/v1/alerts/cy-01/zone_unpatrolled", b"late")
    last = "patrol/v1/alerts/cy-01/zone_unpatrolled"
    assert desk.until(last) == [("patrol/v1/coverage/cy-01", b"early"), (last, b"late")]
    for topic in ("coverage/cy-01", "alerts/cy-01/x", "dispatch/D1/telemetry"):
        assert desk.publish(f"patrol/v1/{topic}") == "NOT_AUTHORIZED"


def test_a_monstrous_message_is_taken_once(shipped: ShippedBroker) -> None:
    """Over 1 MiB is acknowledged and goes nowhere, or the bike would send it again for ever."""
    station = shipped.connect("patrol")
    station.subscribe("patrol/v1/+/+/telemetry")
    topic = "patrol/v1/hello/HB001/telemetry"
    who = ["-u", "hello", "-P", shipped.password("hello"), "-p", str(shipped.port)]
    sending = ["mosquitto_pub", "-V", "311", "-q", "1", *who, "-t", topic, "-s"]
    for size in (1_100_000, 300_000):
        assert subprocess.run(sending, input=b" " * size, timeout=PATIENCE_S).returncode == 0
    assert [len(payload) for _, payload in station.until(topic)] == [300_000]


def test_queue_survives_a_restart(shipped: ShippedBroker) -> None:
    """What came while the station was away is there when both have been away."""
    station = shipped.connect("patrol", name="station", keep=True)
    station.subscribe("patrol/v1/+/+/telemetry")
    station.leave()
    vendor = shipped.connect("hello")
    topic = "patrol/v1/hello/HB001/telemetry"
    for count in range(1500):
        vendor.publish(topic, str(count).encode())
    shipped.stop()
    shipped.start()
    station = shipped.connect("patrol", name="station", keep=True)
    assert station.session_present
    got = [station.until(topic)[0][1] for _ in range(1500)]
    assert got == [str(count).encode() for count in range(1500)]


def test_bikes_come_in_over_tls(shipped: ShippedBroker) -> None:
    """The certificate that was made is good for the host it was made for, and no other."""
    trusted = ssl.create_default_context(cafile=str(shipped.folder / "secrets/mqtt_ca.pem"))
    vendor = shipped.connect("hello", tls=trusted)
    assert vendor.publish("patrol/v1/hello/HB001/telemetry") in OK
    with pytest.raises(ssl.SSLCertVerificationError):
        shipped.connect("hello", tls=trusted, host="broker.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        shipped.connect("hello", tls=ssl.create_default_context())
    old = ssl.create_default_context(cafile=str(shipped.folder / "secrets/mqtt_ca.pem"))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        shipped.connect("hello", tls=old)


def test_new_vendor_needs_no_restart(shipped: ShippedBroker) -> None:
    """secrets.sh adds a vendor to the file that the broker has open; a signal makes it read it."""
    make_secrets(shipped.folder, "vendor", "late-comer")
    with pytest.raises(Refused):
        shipped.connect("late-comer")
    shipped.reload()
    # The signal is handled before the next connection at the latest after one turn of its loop.
    for _ in range(100):
        try:
            vendor = shipped.connect("late-comer")
            break
        except Refused:
            continue
    assert vendor.publish("patrol/v1/late-comer/B1/telemetry") in OK


def test_health_check_asks_the_broker(shipped: ShippedBroker) -> None:
    """The container's check comes in with its own user, and its password is in no process list."""
    options = shipped.folder / "xdg"
    options.mkdir()
    (options / "mosquitto_sub").write_bytes(
        (shipped.folder / "secrets/mqtt_health_options").read_bytes()
    )
    command = ["mosquitto_sub", "-t", "$SYS/broker/uptime", "-C", "1", "-W", "5"]
    done = subprocess.run(
        [*command, "-p", str(shipped.port)],
        env={**os.environ, "XDG_CONFIG_HOME": str(options)},
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0
    shipped.stop()
    gone = subprocess.run(
        [*command, "-p", str(shipped.port)], capture_output=True, timeout=PATIENCE_S
    )
    assert gone.returncode != 0
    shipped.start()
