"""`patrol user`, `patrol token`, and how a station starts before there is anybody."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from patrol.cli import app
from tests.servers import REPOSITORY, free_port
from tests.stations import Station, configuration

PASSWORD = "four random words here"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose broker is not there: nothing here needs bikes."""
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    return configuration(tmp_path / "c", broker_url=nobody, port=free_port())


def patrol(config: Path, *words: str, typed: str = "") -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [*words, "--config", str(config)], input=typed)


def test_users_are_managed_on_the_machine(config: Path) -> None:
    """Add, list, change, disable; the password comes from standard input and is never shown."""
    added = patrol(config, "user", "add", "ada", "--role", "admin", typed=f"{PASSWORD}\n")
    assert (added.exit_code, PASSWORD in added.output) == (0, False)
    assert patrol(config, "user", "add", "li", typed=f"{PASSWORD}\n").exit_code == 0
    assert patrol(config, "user", "role", "li", "--role", "dispatcher").exit_code == 0
    assert patrol(config, "user", "password", "li", typed="another four words\n").exit_code == 0
    assert patrol(config, "user", "disable", "li").exit_code == 0
    listed = patrol(config, "user", "list").output.splitlines()
    assert re.split(r"  +", listed[1].strip()) == ["ada", "admin", "never"]
    assert re.split(r"  +", listed[2].strip()) == ["li", "dispatcher", "disabled", "never"]


@pytest.mark.parametrize(
    ("words", "typed", "code", "said"),
    [
        (("user", "add", "eve"), "short\n", 1, "a password has 12 to 256 characters"),
        (("user", "add", "eve"), "", 1, "a password has 12 to 256 characters"),
        (("user", "add", "e v"), PASSWORD, 1, "a user name is 1 to 32 of"),
        (("user", "add", "ada"), PASSWORD, 1, "there is a user 'ada' already"),
        (("user", "add", "eve", "--role", "king"), PASSWORD, 2, "is not one of 'viewer'"),
        (("user", "disable", "ada"), "", 1, "the last administrator"),
        (("user", "password", "eve"), PASSWORD, 1, "there is no user 'eve'; there is ada"),
        (("token", "revoke", "ci"), "", 1, "there is no token 'ci'"),
    ],
)
def test_mistakes_are_said(
    config: Path, words: tuple[str, ...], typed: str, code: int, said: str
) -> None:
    """One line on what to do, and nothing is changed."""
    patrol(config, "user", "add", "ada", "--role", "admin", typed=PASSWORD)
    result = patrol(config, *words, typed=typed)
    assert result.exit_code == code
    assert said in re.sub(r"[\s│]+", " ", result.output)
    assert "Traceback" not in result.output


def test_tokens_are_managed_on_the_machine(config: Path) -> None:
    """The token is the only thing on standard output, so a script can keep it."""
    added = patrol(config, "token", "add", "ci", "--role", "dispatcher", "--expires", "90d")
    assert re.fullmatch(r"zx_[\w-]{43}\n", added.stdout)
    listed = patrol(config, "token", "list").output
    assert added.stdout.strip() not in listed
    assert "dispatcher" in listed
    assert patrol(config, "token", "revoke", "ci").exit_code == 0
    assert "revoked" in patrol(config, "token", "list").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--config"), "patrol user add NAME --role admin"),
        (("demo", "--for", "1s"), "the demo asks nobody to sign in"),
    ],
)
def test_nobody_listens_to_strangers_before_there_is_a_user(
    config: Path, words: tuple[str, ...], said: str
) -> None:
    """`run` says what to do; the demo, where nobody signs in, never does."""
    listen = {"PATROL_HTTP__LISTEN": f"0.0.0.0:{free_port()}", "PYTHONPATH": str(REPOSITORY)}
    command = [*words, str(config)] if words[-1] == "--config" else words
    # In a process of its own, because these set up logging for a whole process.
    result = subprocess.run(
        [sys.executable, "-m", "patrol", *command],
        env=os.environ | listen,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, said in result.stderr) == (1, True), result.stderr


@pytest.fixture
def station(config: Path) -> Iterator[Station]:
    """A station that was never started."""
    port = int(re.findall(r'listen = "127.0.0.1:(\d+)"', config.read_text("utf-8"))[0])
    station = Station(config, port)
    yield station
    station.kill()


def test_the_first_start_prints_a_link_that_makes_the_administrator(station: Station) -> None:
    """Once per start until it is used; then strangers are asked, and no link is printed."""

    def links() -> list[str]:
        return re.findall(r"/setup#(\S+)", station.said())

    def listening() -> bool:
        return station.get("/healthz") is not None

    for start in (1, 2):
        station.start()
        station.wait(listening)
        assert len(links()) == start
        if start == 1:
            station.stop()
    body = {"token": links()[1], "username": "ada", "password": PASSWORD}
    request = urllib.request.Request(
        f"http://127.0.0.1:{station.port}/api/v1/setup",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["role"] == "admin"
    listed = patrol(station.config, "user", "list").output
    assert "ada" in listed, "the command sees what the running station wrote"
    station.stop()
    station.start()
    station.wait(listening)
    assert len(links()) == 2
    zones = f"http://127.0.0.1:{station.port}/api/v1/zones"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(zones, timeout=10)
    assert station.get("/api/v1/me")["name"] == "file:tests"
