"""A disk on which a file cannot grow any more, without a disk."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def full_disk(file: Path, *, room_bytes: int = 0) -> Iterator[None]:
    """No file of this process may be longer than `file` is now, and so much [bytes].

    The system refuses what goes beyond it with an error, as it does on a full disk.
    """
    size = file.stat().st_size if file.exists() else 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
