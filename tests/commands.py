"""The command `patrol`, in a process of its own, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.patience import PATIENCE_S
from tests.servers import REPOSITORY


def start(*args: object, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start `patrol` with these arguments."""
    return subprocess.Popen(
        [sys.executable, "-m", "patrol", *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
    )


def run(*args: object, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    """Run `patrol` to its end; what it says must never be a traceback."""
    process = start(*args)
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        end(process)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def end(process: subprocess.Popen[str]) -> None:
    """Whatever state it is in."""
    if process.poll() is None:
        process.kill()
        process.wait()


def kept_waiting_s(pid: int) -> float:
    """How long the threads of a process were ready to run and did not get a processor [s].

    Where tests run, something else may be running: what a test says about time is about the
    program, not about its neighbours. Of Python's threads one runs at a time, and the others
    are not ready, so the sum is what the program has lost. 0 where Linux does not tell.
    """
    lost_ns = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            _, waited_ns, _ = file.read_text().split()
        except (OSError, ValueError):
            continue  # it has ended
        lost_ns += int(waited_ns)
    return lost_ns / 1e9


def disk_waited_s() -> float:
    """How long programs of this machine have waited for its disk, since it began [s].

    0 where Linux does not tell.
    """
    try:
        some = Path("/proc/pressure/io").read_text().split("\n")[0]
    except OSError:
        return 0.0
    return int(some.rpartition("=")[2]) / 1e6


class Watch:
    """Says how long a process has taken, less what other programs took from it.

    Parameters
    ----------
    pid : int, optional
        The process; that of the tests when not given.
    """

    def __init__(self, pid: int | None = None) -> None:
        self._pid = pid or os.getpid()
        self._before_s, self._lost_s = kept_waiting_s(self._pid), 0.0
        self._began = time.monotonic()

    def took_s(self) -> float:
        """Seconds since the watch was made; of a process that has ended, look before it does."""
        self._lost_s = max(self._lost_s, kept_waiting_s(self._pid) - self._before_s)
        return time.monotonic() - self._began - self._lost_s


def listening(processes: Sequence[psutil.Process]) -> set[int]:
    """The TCP ports that some processes listen on."""
    found = set()
    for process in processes:
        for connection in process.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN:
                found.add(connection.laddr.port)
    return found
