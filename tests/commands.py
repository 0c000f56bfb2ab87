"""The command `patrol`, in a process of its own, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.patience import PATIENCE_S

REPOSITORY = Path(__file__).parent.parent


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
    """How long the main thread of a process was ready to run and did not get a processor [s].

    Where tests run, something else may be running: what a test says about time is about the
    program, not about its neighbours. 0 where Linux does not tell.
    """
    try:
        _, waited_ns, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except (OSError, ValueError):
        return 0.0
    return int(waited_ns) / 1e9


def listening(processes: Sequence[psutil.Process]) -> set[int]:
    """The TCP ports that some processes listen on."""
    found = set()
    for process in processes:
        for connection in process.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN:
                found.add(connection.laddr.port)
    return found
