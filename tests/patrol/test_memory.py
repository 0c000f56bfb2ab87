"""Memory that the process has freed is not held by each of its threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

THREADS = """
import contextlib, ctypes, sys, threading
from patrol import cli

told, sys.argv[1:] = sys.argv[1], ["--help"]
with contextlib.suppress(SystemExit):
    cli.main()

def freed(barrier):
    some = [bytes(100_000) for _ in range(50)]
    barrier.wait()

barrier = threading.Barrier(8)
threads = [threading.Thread(target=freed, args=[barrier]) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fopen(told.encode(), b"w")))
libc.fflush(None)
"""


def test_threads_share_what_they_have_freed(tmp_path: Path) -> None:
    """Eight threads that took and freed memory together leave no pool for each of them."""
    told = tmp_path / "malloc.xml"
    command = [sys.executable, "-c", THREADS, str(told)]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert told.read_text().count("<heap nr") == 1
