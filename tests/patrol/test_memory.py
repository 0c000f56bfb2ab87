"""Memory that the process has freed is not held by each of its threads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

THREADS = """
import asyncio, ctypes, sys, threading
from patrol.process import run_until_signalled

def freed(barrier):
    some = [bytes(100_000) for _ in range(50)]
    barrier.wait()

async def main(stop):
    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=freed, args=[barrier]) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

run_until_signalled(main)
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w")))
libc.fflush(None)
"""


def test_threads_share_what_they_have_freed(tmp_path: Path) -> None:
    """Eight threads that took and freed memory together leave no pool for each of them."""
    told = tmp_path / "malloc.xml"
    subprocess.run([sys.executable, "-c", THREADS, str(told)], check=True, timeout=60)
    assert 1 <= len(re.findall("<heap nr", told.read_text())) <= 2
