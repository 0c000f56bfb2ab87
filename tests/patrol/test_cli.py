"""The command line: what people read, and the exit codes that programs read."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from patrol.cli import app
from tests import commands
from tests.broker import Broker
from tests.servers import free_port
from tests.stations import SAMPLE, configuration, new_station

WRONG_INPUT, USAGE, UNREACHABLE = 1, 2, 3


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The sample's configuration, with a broker that is not there."""
    return configuration(
        tmp_path / "district", broker_url=f"mqtt://127.0.0.1:{free_port()}", port=free_port()
    )


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Commands that run in this process write the log to a stream that is soon closed."""
    yield
    structlog.reset_defaults()


def edited(config: Path, *changes: tuple[str, str]) -> Path:
    """The configuration with some text replaced."""
    text = config.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    config.write_text(text, "utf-8")
    return config


def invoked(*args: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that is run in this process."""
    result = CliRunner().invoke(app, list(map(str, args)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_check_of_the_sample() -> None:
    """A configuration without mistakes is told what is in it."""
    code, out, err = invoked("check", "--config", SAMPLE / "patrol.toml")
    assert code == 0
    assert re.search(r"patrol\.toml: all is well: 9 zones with \d+ unit cells, 5 policies, 1", out)
    assert err == ""


def test_five_mistakes_in_patrol_toml(config: Path) -> None:
    """All are told at once, each with its line and key; nothing else is."""
    edited(
        config,
        ('timezone = "Asia/Shanghai"', 'timezone = "Asia/Shanghia"'),
        ('protocol = "5"', 'protocol = "4"'),
        ("max_gap_s = 120", "max_gap = 120"),
        ('datum = "wgs84"', 'datum = "gcj"'),
        ('frequency = "30m"', 'frequency = "half an hour"'),
    )
    code, out, err = invoked("check", "--config", config)
    assert code == WRONG_INPUT
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 5
    for key in (
        "[district] timezone",
        "[mqtt] protocol",
        "[quality] max_gap",
        "[vendors.hello] datum",
        "[policies.core] frequency",
    ):
        assert any(re.search(rf"patrol\.toml:\d+: {re.escape(key)}: ", line) for line in lines), key


def test_check_warns_of_slivers(config: Path) -> None:
    """They are let pass, and told on stderr."""
    file = config.parent / "zones.geojson"
    zones = json.loads(file.read_text("utf-8"))
    for position in zones["features"][3]["geometry"]["coordinates"][0]:
        position[0] += 1e-5
    file.write_text(json.dumps(zones), "utf-8")
    code, out, err = invoked("check", "--config", config)
    assert (code, "all is well" in out) == (0, True)
    assert all(line.startswith("warning: zones.geojson: feature ") for line in err.splitlines())
    assert 'what both hold is given to "cy-' in err


def test_five_mistakes_in_the_zones(config: Path) -> None:
    """All are told at once, each with the feature it is in."""
    file = config.parent / "zones.geojson"
    zones = json.loads(file.read_text("utf-8"))
    features = zones["features"]
    features[0]["properties"]["policy"] = "cores"
    del features[1]["properties"]["name"]
    features[2]["properties"]["zone_id"] = features[3]["properties"]["zone_id"]
    features[4]["geometry"]["coordinates"][0].pop()
    ring = features[5]["geometry"]["coordinates"][0]
    features[5]["geometry"]["coordinates"][0] = [[lat, lng] for lng, lat in ring]
    file.write_text(json.dumps(zones), "utf-8")
    code, out, err = invoked("check", "--config", config)
    assert code == WRONG_INPUT
    assert out == ""
    assert len(err.splitlines()) == 5
    assert all(line.startswith("zones.geojson: ") for line in err.splitlines())
    for feature in ("cy-01", "cy-02", "cy-04", "cy-05", "cy-06"):
        assert feature in err


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["demo", "--nope"], "No such option: --nope"),
        (["token", "revoke"], "Missing argument 'NAME'"),
        (["replay", "--config", "x"], "Missing argument 'PATH…'"),
        (["demo", "--for", "soon"], "'soon' is not a duration; write"),
        (["demo", "--for", "0s"], "longer than nothing"),
        (["demo", "--speed", "nan"], "nan is not between 0.1 and 600"),
        (["demo", "--bikes", "0"], "Invalid value for '--bikes'"),
        (["demo", "--port", "70000"], "Invalid value for '--port'"),
    ],
)
def test_usage(args: list[str], problem: str) -> None:
    """What cannot be meant is named, with exit code 2."""
    code, out, err = invoked(*args)
    assert code == USAGE
    assert out == ""
    assert problem in err


@pytest.mark.parametrize("command", ["demo", "run", "check", "simulate", "replay"])
def test_help(command: str) -> None:
    """Every command has help, and is listed with a whole sentence."""
    code, out, _ = invoked(command, "--help")
    assert code == 0
    assert "Usage: " in out
    _, listed, _ = invoked("--help")
    assert re.search(rf"^  {command} +[A-Z].*\.$", listed, re.MULTILINE)


@pytest.mark.parametrize("command", ["run", "check", "simulate"])
def test_a_configuration_that_is_not_there(command: str, tmp_path: Path) -> None:
    """The message names the file."""
    code, _, err = invoked(command, "--config", tmp_path / "patrol.toml")
    assert code == WRONG_INPUT
    assert err == f"{tmp_path / 'patrol.toml'}: there is no such file; name one with --config\n"


def test_the_configuration_of_the_folder_is_the_default(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --config it is the patrol.toml of the folder one is in."""
    monkeypatch.chdir(config.parent)
    assert invoked("check")[1].startswith("patrol.toml: all is well")
    monkeypatch.chdir(config.parent.parent)
    assert invoked("check")[2] == "patrol.toml: there is no such file; name one with --config\n"


def test_a_shell_completes_commands_and_options(config: Path) -> None:
    """What the shell's own completion asks for is answered without a configuration."""
    for words, found in (("patrol token rev", "revoke"), ("patrol run --conf", "--config")):
        asked = {
            "_PATROL_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        result = CliRunner().invoke(app, [], env=asked, prog_name="patrol")
        assert result.stdout.split() == [found]


def test_run_listens_on_this_machine_only(config: Path) -> None:
    """An address that others can reach is refused, with the reason and what to do."""
    text = config.read_text("utf-8")
    listen = re.search(r'listen = "127\.0\.0\.1:\d+"', text)
    assert listen
    edited(config, (listen[0], 'listen = "0.0.0.0:8080"'))
    code, _, err = invoked("run", "--config", config)
    assert code == WRONG_INPUT
    assert '"0.0.0.0:8080" can be reached from other machines' in err
    assert 'listen = "127.0.0.1:8080"' in err


def test_run_on_a_port_that_is_taken(config: Path) -> None:
    """The message says which, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = config.read_text("utf-8")
        config.write_text(re.sub(r"listen = .*", f'listen = "127.0.0.1:{port}"', text), "utf-8")
        code, _, err = invoked("run", "--config", config)
    assert code == UNREACHABLE
    assert err == (
        f"port {port} on 127.0.0.1 is taken: stop what listens there, or choose another port\n"
    )


@pytest.mark.parametrize("name", ["log.sqlite", "alerts.sqlite"])
def test_run_on_a_file_that_is_damaged(config: Path, name: str) -> None:
    """It says which file, and what can be done; it does not touch it."""
    file = config.parent / "data" / name
    file.parent.mkdir()
    file.write_bytes(b"not a database" * 1000)
    done = commands.run("run", "--config", config)
    assert done.returncode == WRONG_INPUT
    (line,) = [line for line in done.stderr.splitlines() if name in line]
    assert re.search(r"damaged|cannot be read", line)
    assert "move it away" in line
    assert file.read_bytes() == b"not a database" * 1000


def test_run_with_a_storage_that_cannot_be_a_folder(config: Path) -> None:
    """A file in the way is named."""
    (config.parent / "in_the_way").write_text("")
    edited(config, ('path = "data"', 'path = "in_the_way/data"'))
    done = commands.run("run", "--config", config)
    assert done.returncode == WRONG_INPUT
    assert f"{config.parent / 'in_the_way' / 'data'} cannot be used: Not a directory" in done.stderr


def test_a_second_run_on_the_same_folder(tmp_path: Path) -> None:
    """It is turned away, and the first goes on."""
    first = new_station(tmp_path / "first", f"mqtt://127.0.0.1:{free_port()}")
    second = new_station(
        tmp_path / "second",
        f"mqtt://127.0.0.1:{free_port()}",
        **{'path = "data"': f'path = "{tmp_path}/first/data"'},
    )
    try:
        first.start()
        first.wait(lambda: first.get("/healthz") is not None)
        done = commands.run("run", "--config", second.config)
        assert done.returncode == UNREACHABLE
        (line,) = done.stderr.splitlines()
        assert line.endswith("log.sqlite is in use; is the program running already?")
        assert first.stop() == 0
    finally:
        first.kill()


def test_simulate_without_a_broker(config: Path) -> None:
    """It says where it looked; a service that cannot be reached is exit code 3."""
    url = re.search(r'url = "(mqtt://127\.0\.0\.1:\d+)"', config.read_text("utf-8"))[1]
    done = commands.run("simulate", "--config", config, "--for", "1s")
    assert done.returncode == UNREACHABLE
    assert done.stderr == f"no connection to the broker: no broker listens at {url}\n"


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--neglect", "cy-077"], '--neglect: there is no zone "cy-077"; did you mean "cy-07"?'),
        (["--bikes", "29"], "vendors.hello.bikes: lists 28 bikes, not 29; list more, or"),
    ],
)
def test_simulate_what_cannot_be(config: Path, args: list[str], problem: str) -> None:
    """A zone or a bike that does not exist is a mistake, found before anything is sent."""
    code, _, err = invoked("simulate", "--config", config, *args)
    assert code == WRONG_INPUT
    assert problem in err


def test_simulated_bikes_speak_mds(config: Path) -> None:
    """They ride for a vendor of which that is expected, or for nobody."""
    config.write_text(config.read_text("utf-8").replace('format = "mds"', 'format = "owntracks"'))
    code, _, err = invoked("simulate", "--config", config)
    assert code == WRONG_INPUT
    assert 'vendors: none has format = "mds", which is what simulated bikes speak' in err


class Listener:
    """Counts what a broker hands out."""

    def __init__(self, broker: Broker) -> None:
        self.messages = self.items = self.newest_ms = 0
        self.ended = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda *args: self._count(args[-1])
        self._client.on_connect = lambda *_: self._client.subscribe("patrol/v1/#", 1)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        assert subscribed.wait(10)

    def _count(self, message: paho.MQTTMessage) -> None:
        if message.topic == "patrol/v1/the/end":
            self.ended.set()
            return
        self.messages += 1
        if message.topic.endswith("/telemetry"):
            try:
                payload = json.loads(message.payload)
            except ValueError:
                payload = {}
            fixes = payload if isinstance(payload, list) else [payload]
            self.items += len(fixes)
            times = [fix.get("timestamp") for fix in fixes]
            self.newest_ms = max(self.newest_ms, *(at for at in times if isinstance(at, int)), 0)

    def end(self) -> None:
        """Count what is still on its way, and leave."""
        self._client.publish("patrol/v1/the/end", b"", 1)
        assert self.ended.wait(10)
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    """Somebody who listens to all of the contract's topics."""
    return Listener(broker)


def test_simulate_publishes_what_it_says(
    tmp_path: Path, broker: Broker, listener: Listener
) -> None:
    """Riding faster than life it begins in the past, so that nothing it sends lies ahead."""
    config = configuration(tmp_path / "district", broker_url=broker.url, port=0)
    began_ms = time.time_ns() // 1_000_000
    done = commands.run("simulate", "--config", config, "--for", "3s", "--speed", "400")
    listener.end()
    assert done.returncode == 0
    assert done.stderr == ""
    told = re.search(r"^28 bikes of hello ride from .*, 400 times as fast$", done.stdout, re.M)
    assert told, done.stdout
    assert f"Publishing to {broker.url}\n" in done.stdout
    items, messages = map(
        int, re.search(r"^published (\d+) fixes in (\d+) messages$", done.stdout, re.M).groups()
    )
    assert items >= 28
    assert (items, messages) == (listener.items, listener.messages)
    # The 20 minutes before the start, but for the moment that starting took.
    assert began_ms - 120_000 < listener.newest_ms < began_ms + 60_000
