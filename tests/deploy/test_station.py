"""The station with the environment of its container, on the shipped broker."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.mqtt import ShippedBroker, clone
from tests.deploy.test_compose import SERVICES, client_id
from tests.patience import PATIENCE_S
from tests.servers import REPOSITORY, Answer, answering, free_port
from tests.stations import SAMPLE, Station, tokens_file


class Container(Station):
    """`patrol run` and the health check, as the compose file has them; paths and ports adapted."""

    def __init__(self, folder: Path, broker: ShippedBroker) -> None:
        port = free_port()
        (folder / "influxdb").mkdir()
        (folder / "influxdb/token").write_text("nobody-asks")
        given = {}
        for variable, value in SERVICES["patrol"]["environment"].items():
            value = re.sub(r"\$\{ZHIXUN_CLIENT_ID:\?[^}]*\}", client_id(folder), value)
            value = value.replace("${ZHIXUN_CONSOLE_PORT:-8080}", str(port))
            value = value.replace("${ZHIXUN_INFLUX_PORT:-8086}", str(free_port()))
            value = value.replace("${ZHIXUN_MQTT_BIND:-127.0.0.1}:1883", f"0.0.0.0:{broker.port}")
            value = value.replace("/run/secrets/", f"{folder}/secrets/")
            value = value.replace("/run/influxdb/", f"{folder}/influxdb/")
            given[variable] = value.replace("/var/lib/patrol", f"{folder}/patrol")
        given["PATROL_HTTP__TOKENS_FILE"] = str(tokens_file(folder))
        super().__init__(SAMPLE / "patrol.toml", port, folder / "station.log", given)
        self.folder = folder
        self.start()

    def check(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """The health check."""
        return subprocess.run(
            [sys.executable, str(REPOSITORY / "docker/patrol/ready.py")],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    def checked(self, code: int) -> str:
        """Wait until the health check ends with a code; return what it said."""
        if code == 0:
            self.wait(self.ready)
        done = self.check()

        def ends_so() -> bool:
            nonlocal done
            if done.returncode != code:
                done = self.check()
            return done.returncode == code

        self.wait(ends_so)
        return done.stdout


@pytest.fixture
def container(shipped: ShippedBroker) -> Iterator[Container]:
    """A started station."""
    running = Container(shipped.folder, shipped)
    yield running
    running.kill()


def test_from_a_bike_to_the_station_and_back(shipped: ShippedBroker, container: Container) -> None:
    """A fix is taken in, and a message that is no fix comes back to its vendor with the reason."""
    container.checked(0)
    vendor = shipped.connect("hello")
    vendor.subscribe("patrol/v1/hello/+/rejected")
    telemetry = "patrol/v1/hello/HB001/telemetry"
    fix = {"timestamp": time.time_ns() // 1_000_000, "location": {"lat": 36.3068, "lng": 120.3891}}
    vendor.publish(telemetry, json.dumps(fix).encode())
    vendor.publish(telemetry, b"no fix")
    rejected = "patrol/v1/hello/HB001/rejected"
    [(_, why)] = vendor.until(rejected)
    assert json.loads(why)["reason"] == "not_json"
    vendor.publish(telemetry, b"[" + b" " * 300_000 + b"]")
    [(_, why)] = vendor.until(rejected)
    assert json.loads(why)["reason"] == "too_large"
    assert container.stop() == 0
    assert (container.folder / "patrol/log.sqlite").stat().st_size > 0


def test_health_check_says_what_is_wrong(shipped: ShippedBroker, container: Container) -> None:
    """Without its broker the station stays up and is unhealthy, for a reason that is told."""
    container.checked(0)
    shipped.stop()
    assert "inlet: " in container.checked(1)
    shipped.start()
    container.checked(0)
    container.stop()
    assert "nobody answers at 127.0.0.1" in container.check().stdout


def test_health_check_asks_the_station_itself(container: Container) -> None:
    """Not the proxy that Docker gives to containers; and another program is not the station."""
    container.checked(0)
    nobody = f"http://127.0.0.1:{free_port()}"
    assert container.check(http_proxy=nobody, HTTP_PROXY=nobody).returncode == 0
    container.stop()
    with answering(lambda _: Answer(404, "Not found")) as other:
        done = container.check(PATROL_HTTP__LISTEN=other.removeprefix("http://"))
    assert (done.returncode, done.stderr) == (1, "")
    assert "is not the station" in done.stdout


def test_what_came_while_it_was_away_is_taken_in(
    shipped: ShippedBroker, container: Container
) -> None:
    """The broker keeps messages for the station's client id while it is being upgraded."""
    container.checked(0)
    assert container.stop() == 0
    vendor = shipped.connect("hello")
    vendor.subscribe("patrol/v1/hello/+/rejected")
    for count in range(180):
        vendor.publish("patrol/v1/hello/HB001/telemetry", b"%d" % count)
    container.start()
    got = [vendor.until("patrol/v1/hello/HB001/rejected")[0][1] for _ in range(180)]
    assert [json.loads(why)["payload"] for why in got] == [str(n) for n in range(180)]
    assert container.stop() == 0


def test_the_page_for_vendors_is_true(shipped: ShippedBroker, container: Container) -> None:
    """Every mosquitto_pub of docs/vendors.md does what the page says, over TLS."""
    page = (REPOSITORY / "docs/vendors.md").read_text("utf-8")
    blocks = re.findall(r"(?m)(?:^ {4}.*\n)+", page)
    commands = [block for block in blocks if "mosquitto_pub" in block]
    assert len(commands) == 4
    container.checked(0)
    vendor = shipped.connect("hello")
    vendor.subscribe("patrol/v1/hello/+/rejected", "patrol/v1/hello/+/status")
    ca = shipped.folder / "secrets/mqtt_ca.pem"
    broker = (
        f"-h localhost -p {shipped.tls_port} --cafile {ca} -u hello -P {shipped.password('hello')}"
    )
    for command in commands:
        done = subprocess.run(["bash", "-euc", f'broker="{broker}"\n{command}'], timeout=PATIENCE_S)
        assert done.returncode == 0, command
    vendor.publish("patrol/v1/hello/HB001/telemetry", b"the end")
    refused = []
    while not refused or refused[-1]["payload"] != "the end":
        [*_, (_, why)] = vendor.until("patrol/v1/hello/HB001/rejected")
        refused.append(json.loads(why))
    assert [why["reason"] for why in refused] == ["out_of_range", "not_json"]
    assert container.metric("zhixun_stored_total") == 3


DOCKER = r"""#!/bin/sh
# Stands in for Docker: a command of the station's container is one of this machine.
case "$1 $2" in
"compose exec") [ "$3 $4" = "-T patrol" ] && shift 4 || exit 64 ;;
"compose run") [ "$3 $4 $5 $6" = "--rm --no-deps -T patrol" ] && shift 5 || exit 64 ;;
compose*) exit ;;    # the test stops and starts the station
*) exit 64 ;;
esac
[ "$1" = patrol ] && shift || exit 64
last=$(for each; do :; done; echo "$each")
[ "$last" = /etc/patrol/patrol.toml ] || exit 64
exec "$PYTHON" -m patrol "$1" "$2" --config "$CONFIG"
"""


def test_a_backup_brings_everything_back(
    shipped: ShippedBroker, container: Container, tmp_path: Path
) -> None:
    """The commands of the manual; what a crash has left since then is not mixed in."""
    chapter = re.findall(
        r"(?ms)^## Back up and restore\n(.*?)^## ",
        (REPOSITORY / "docs/operations.md").read_text("utf-8"),
    )[0]
    back_up, restore, *_ = re.findall(r"(?m)(?:^ {4}.*\n)+", chapter)
    checkout = clone(tmp_path / "checkout")
    subprocess.run(
        [checkout / "docker/secrets.sh"], capture_output=True, check=True, timeout=PATIENCE_S
    )
    data = container.folder / "patrol"
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("docker", DOCKER), ("sudo", '#!/bin/sh\nexec "$@"\n')):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)

    def follow(commands: str) -> None:
        path = f"{tools}:{os.environ['PATH']}"
        subprocess.run(
            ["sh", "-euc", commands],
            cwd=checkout,
            env={
                **container.environment,
                "PATH": path,
                "PYTHON": sys.executable,
                "PYTHONPATH": str(REPOSITORY),
                "CONFIG": str(container.config),
            },
            check=True,
            timeout=PATIENCE_S,
        )

    container.checked(0)
    vendor = shipped.connect("hello")
    now_ms = time.time_ns() // 1_000_000

    def ride(steps: range) -> None:
        for step in steps:
            place = {"lat": 36.3068 + step * 1e-4, "lng": 120.3891}
            fix = {"timestamp": now_ms - 200_000 + step * 3_000, "location": place}
            vendor.publish("patrol/v1/hello/HB001/telemetry", json.dumps(fix).encode())
        container.wait(lambda: container.metric("zhixun_stored_total") == steps.stop)

    ride(range(50))
    follow(back_up)
    made = {file.name: file.read_bytes() for file in (checkout / "secrets").glob("*_*")}
    assert stat.S_IMODE((checkout / "patrol-data.tar").stat().st_mode) == 0o600
    assert stat.S_IMODE((checkout / "secrets.tar.gz").stat().st_mode) == 0o600
    ride(range(50, 60))
    unwritten = (data / "log.sqlite-wal").read_bytes()
    assert container.stop() == 0
    (data / "log.sqlite-wal").write_bytes(unwritten)  # as a crash leaves it
    shutil.rmtree(checkout / "secrets")
    follow(restore)
    assert {file.name: file.read_bytes() for file in (checkout / "secrets").glob("*_*")} == made
    container.start()
    container.checked(0)
    assert container.metric("zhixun_stored_total") == 50
    assert container.get("/api/v1/bikes/HB001")["bike_id"] == "HB001"
    assert container.stop() == 0
