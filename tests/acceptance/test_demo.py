"""`patrol demo`: it tells its story, it is small, and it leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from patrol.web import why_not_free
from tests import commands
from tests.patience import PATIENCE_S, until

MEGABYTE = 1e6
NEGLECTED, DELAYED = "cy-07", "cy-08"


@dataclass
class Finished:
    """A demo that has ended, and what was seen of it meanwhile."""

    code: int
    out: str
    err: str
    children: set[psutil.Process] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)
    most_bytes: int = 0

    @property
    def summary(self) -> Any:
        return json.loads(self.out.splitlines()[-1])


def watched(process: subprocess.Popen[str], timeout_s: float) -> Finished:
    """Wait for a demo to end, and look at it four times a second."""
    found = Finished(0, "", "")
    ended = threading.Event()

    def look() -> None:
        parent = psutil.Process(process.pid)
        while not ended.wait(0.25):
            try:
                family = [parent, *parent.children(recursive=True)]
                found.children.update(family[1:])
                found.ports |= commands.listening(family)
                size = sum(member.memory_info().rss for member in family)
            except psutil.NoSuchProcess:
                continue
            found.most_bytes = max(found.most_bytes, size)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        found.out, found.err = process.communicate(timeout=timeout_s)
    finally:
        ended.set()
        looking.join()
        commands.end(process)
    found.code = process.returncode
    return found


class Lines:
    """What a process prints, line by line, while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._lines = process.stdout
        self.seen = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Read on to the line that matches."""
        for line in self._lines:
            self.seen += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"no line matches {pattern!r} in:\n{self.seen}")


def received(port: str) -> float:
    """Items that a running demo has received."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        samples = answer.read().decode()
    return float(re.search(r"^zhixun_received_total (\S+)", samples, re.MULTILINE)[1])  # type: ignore[index]


def gone(children: set[psutil.Process], timeout_s: float) -> bool:
    """Whether some processes have ended."""
    _, alive = psutil.wait_procs(children, timeout_s)
    return not alive


@pytest.fixture(scope="module")
def hour() -> Finished:
    """The first hour of a day, in half a minute."""
    process = commands.start("demo", "--for", "30s", "--speed", "120", "--json", "--port", "0")
    return watched(process, 240)


def test_ends_by_itself_with_one_json_object(hour: Finished) -> None:
    """With --for and --json the whole of stdout is the summary; nothing failed on the way."""
    assert hour.code == 0
    assert len(hour.out.splitlines()) == 1
    assert set(hour.summary) == {"published", "stored", "rejected", "zones", "alerts"}
    assert "Traceback" not in hour.err


def test_every_item_is_accounted_for(hour: Finished) -> None:
    """What the broker took from the fleet was either stored or rejected with a reason."""
    summary = hour.summary
    assert summary["published"] == summary["stored"] + summary["rejected"]
    assert summary["stored"] > 10_000
    assert summary["rejected"] > 0


def test_tells_the_story_of_the_sample(hour: Finished) -> None:
    """Nine zones; the neglected one is overdue, and a patrol ends the alert of the late one.

    It stays to be closed for a minute, and batteries are not what alerts are about.
    """
    zones = {zone["zone_id"]: zone for zone in hour.summary["zones"]}
    assert len(zones) == 9
    assert zones[NEGLECTED]["state"] == "overdue"
    assert zones[NEGLECTED]["covered_ratio"] == 0
    assert all(zone["covered_ratio"] > 0 for name, zone in zones.items() if name != NEGLECTED)
    alerts = hour.summary["alerts"]
    assert alerts["raised"] == alerts["open"] + alerts["closed"]
    assert alerts["open"] >= 1
    for zone_id in (NEGLECTED, DELAYED):
        assert re.search(rf"{zone_id} .*Zone not patrolled: pending → active", hour.err)
    assert re.search(
        rf"{DELAYED} .*Zone not patrolled: active → returned, to be closed \(it was patrolled\)",
        hour.err,
    )
    assert hour.err.count("Bike battery low: pending → active") <= 1


def test_tells_where_the_console_is(hour: Finished) -> None:
    """With --json people still read where to look and how it goes, on stderr."""
    assert re.search(r"Console +http://127\.0\.0\.1:\d+/", hour.err)
    assert re.search(r"\d\d:\d\d:\d\d +\d+ fixes published; zones: \d compliant", hour.err)


def test_is_small(hour: Finished) -> None:
    """The demo, which knows a month, and its broker together stay under 350 MB."""
    assert 50 * MEGABYTE < hour.most_bytes < 350 * MEGABYTE


def test_leaves_nothing_behind(hour: Finished) -> None:
    """Its broker has ended, and all ports are free."""
    assert hour.children
    assert gone(hour.children, 2)
    assert len(hour.ports) >= 2
    assert all(not why_not_free("127.0.0.1", port) for port in hour.ports)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_was_asked_for_and_is_taken(taken: int) -> None:
    """Nothing starts: the message says so and what to do, and the exit code is 3."""
    done = commands.run("demo", "--for", "5s", "--port", taken)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == (
        f"port {taken} on 127.0.0.1 is taken: stop what listens there, or choose another port\n"
    )


def test_ctrl_c_and_the_next_day(tmp_path: Path) -> None:
    """Ctrl-C ends it with a summary; in the same folder the next demo goes on with a new day.

    When nobody asked for a port, one that is taken is passed over.
    """
    with socket.socket() as holder:
        try:
            holder.bind(("127.0.0.1", 8080))
            holder.listen()
        except OSError:
            pass  # somebody else holds it, which does as well
        first = commands.start("demo", "--speed", "200", "--data", tmp_path / "data")
        try:
            lines = Lines(first)
            port = lines.until(r"Console +http://127\.0\.0\.1:(\d+)/")[1]
            lines.until("Stop +Ctrl-C")
            assert int(port) > 8080
            past = received(port)
            until(lambda: received(port) >= past + 3_000, every_s=0.1, explain=lambda: lines.seen)
            first.send_signal(signal.SIGINT)
            out, err = first.communicate(timeout=PATIENCE_S)
        finally:
            commands.end(first)
    assert first.returncode == 0
    assert err == ""
    published, stored, rejected = map(
        int, re.search(r"published (\d+) = stored (\d+) \+ rejected (\d+)", out).groups()
    )
    assert published == stored + rejected
    assert stored >= 2_000

    second = commands.run(
        *("demo", "--for", "3s", "--speed", "200", "--json", "--port", "0"),
        *("--data", tmp_path / "data"),
    )
    assert second.returncode == 0
    summary = json.loads(second.stdout)
    assert summary["published"] == summary["stored"] + summary["rejected"] > 0
    days = sorted(file.stem for file in (tmp_path / "data" / "archive").glob("*/*.parquet"))
    assert len(days) == 30 + 2


def test_a_parent_that_is_killed_leaves_no_broker_behind() -> None:
    """The broker ends when the demo does, however that ends."""
    process = commands.start("demo", "--port", "0")
    try:
        Lines(process).until("Stop +Ctrl-C")
        children = set(psutil.Process(process.pid).children(recursive=True))
        listened = commands.listening(list(children))
        process.kill()
        process.wait()
        assert children
        assert gone(children, 10)
        assert listened
        assert all(not why_not_free("127.0.0.1", port) for port in listened)
    finally:
        commands.end(process)
        for pipe in (process.stdout, process.stderr):
            pipe.close()
