"""Damage that was found, a file each, until a person has seen to it and removed it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import structlog

from files.atomic_write import atomic_write
from ingest.errors import StoreUnavailable

FOLDER = "set-aside"
"""In the folder where everything is stored: NAME.txt says what it is, NAME.body is what it was."""
TOLD = 3
"""Findings that are told at once."""

log = structlog.get_logger(__name__)


def keep(folder: Path, name: str, text: str, body: bytes = b"") -> Path:
    """Write down what is wrong, and keep the bytes that there are of it.

    StoreUnavailable when it cannot be written.
    """
    file = folder / f"{name}.txt"
    for suffix, content in ((".body", body), (".txt", text.encode())):
        if content:
            with atomic_write(file.with_suffix(suffix), StoreUnavailable) as out:
                out.write(content)
    log.error("damage", found=text, file=str(file))
    return file


def findings(folder: Path) -> Iterator[str]:
    """What there is, in words, each with its file."""
    for file in sorted(folder.glob("*.txt")):
        yield f"{file.read_text('utf-8', 'replace')} (remove {file} when you have seen to it)"


def trouble(folder: Path) -> str:
    """What there is, in one text; empty when nothing was found, or all of it was removed."""
    found = list(findings(folder))
    more = [f"and {len(found) - TOLD} more"] if len(found) > TOLD else []
    return "; ".join(found[:TOLD] + more)
