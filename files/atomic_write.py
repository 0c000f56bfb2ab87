"""Write a file so that there is always a whole one, the old or the new."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".tmp"
"""Suffix of the file beside it that is being written; a crash may leave one over."""


@contextmanager
def atomic_write(file: Path, unavailable: type[Exception]) -> Iterator[BinaryIO]:
    """Give a handle for the new content; after the context it survives a power cut.

    The folder is made when missing; both are readable by their owner only. When the context
    fails, the old file stays.

    When the disk is full or the folder cannot be written, `unavailable` is raised.
    """
    beside = file.with_suffix(SUFFIX)
    try:
        if not file.parent.is_dir():
            file.parent.mkdir(mode=0o700)
            _sync(file.parent.parent)
        try:
            with open(beside, "w+b", opener=_private) as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            beside.replace(file)
        except BaseException:
            # On a full disk every byte counts.
            beside.unlink(missing_ok=True)
            raise
        _sync(file.parent)
    except OSError as exc:
        raise unavailable(f"{file} cannot be written now: {exc}") from exc


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    """Make new names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
