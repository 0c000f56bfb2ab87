"""Copies of the data folder, made beside a station that runs: one tar, and its way back.

Files of archive and snapshot are replaced and never changed, so a link to each keeps it as it is;
databases are copied by SQLite from one moment. Together they are what a power cut would have left:
first come the links, then the databases, the log last, because it must reach as far as the others.
When a reader of the log has moved meanwhile, it might lack what they lack, and all is taken again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import msgspec

from ingest.errors import StoreUnavailable
from ingest.log import lock
from ingest.worker import COVERAGE
from patrol.data_folder import DATABASES, keep_private, ours
from patrol.errors import ConfigError, Problem

MANIFEST = "manifest.json"
TRIES = 20

NOT_COPIED = "*.sqlite", "*.sqlite-*", "*.lock", "*.tmp"
"""Names of files of a station that are copied in another way, or not at all."""


class Manifest(msgspec.Struct):
    """What a backup holds: SHA-256 of its files by their names, and when it was made [ms]."""

    made_at_ms: int
    files: dict[str, str]


def backup(folder: Path, out: BinaryIO) -> Manifest:
    """Write a backup of a data folder as a tar.

    StoreUnavailable: a database cannot be read now, or there is no room for copies of them.
    """
    try:
        with TemporaryDirectory(prefix="backup-", dir=folder) as name:
            stage = Path(name)
            _take(folder, stage)
            made = Manifest(time.time_ns() // 1_000_000, _digests(stage))
            (stage / MANIFEST).write_bytes(msgspec.json.encode(made))
            with tarfile.open(fileobj=out, mode="w|") as tar:
                for each in (MANIFEST, *made.files):
                    tar.add(stage / each, each)
            return made
    except (OSError, sqlite3.Error) as exc:
        raise StoreUnavailable(f"{folder} cannot be copied now: {exc}") from exc


def restore(folder: Path, source: BinaryIO) -> tuple[Manifest, Path | None]:
    """Put a backup in the place of a data folder, whose station does not run.

    What is there is moved into a folder inside it, which is returned beside what came back.

    StoreUnavailable: the station runs, or the folder cannot be written.
    ConfigError: the backup is damaged; nothing was changed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(lock(folder / "log.sqlite")), TemporaryDirectory(dir=folder) as name:
        stage = Path(name)
        try:
            with tarfile.open(fileobj=source, mode="r|*") as tar:
                tar.extractall(stage, filter="data")
            made = msgspec.json.decode((stage / MANIFEST).read_bytes(), type=Manifest)
            (stage / MANIFEST).unlink()
            damaged = sorted(dict(made.files.items() ^ _digests(stage).items()))
        except (tarfile.TarError, EOFError, FileNotFoundError, msgspec.DecodeError) as exc:
            raise ConfigError([Problem("the backup", f"is damaged or was cut: {exc}")]) from exc
        except OSError as exc:
            raise StoreUnavailable(f"{folder} cannot be written: {exc}") from exc
        if damaged:
            fault = "is damaged or missing in the backup; nothing was changed"
            raise ConfigError([Problem(each, fault) for each in damaged])
        before = None
        if there := [path for path in ours(folder) if path.suffix != ".lock"]:
            before = folder / time.strftime("replaced-%Y%m%dT%H%M%S")
            before.mkdir(mode=0o700, exist_ok=True)
            for path in there:
                path.rename(before / path.name)
        for path in stage.iterdir():
            path.rename(folder / path.name)
        keep_private(folder)
        return made, before


def _take(folder: Path, stage: Path) -> None:
    """Take files and databases of one moment."""
    for _ in range(TRIES):
        with ExitStack() as held:
            found = {
                name: held.enter_context(closing(kind.read_only(folder / name)))
                for name, kind in DATABASES.items()
                if (folder / name).exists()
            }
            before = _readers(found)
            _link(folder, stage)
            for each in found.values():  # the log is the last
                each.execute("BEGIN")
                each.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if before != _readers(found):
                continue
            for name, source in found.items():
                with closing(sqlite3.connect(stage / name)) as copy:
                    source.backup(copy)
            return
    raise StoreUnavailable(f"{folder} changes too fast to be copied; try again")


def _readers(databases: Mapping[str, sqlite3.Connection]) -> list[tuple[str, int]]:
    """How far the log's readers are, but for coverage, which is written down more often than the
    log is trimmed; none when there is no log."""
    if "log.sqlite" not in databases:
        return []
    query = "SELECT reader, seq FROM cursor WHERE reader != ? ORDER BY reader"
    return databases["log.sqlite"].execute(query, (COVERAGE,)).fetchall()


def _link(folder: Path, stage: Path) -> None:
    """Links to all files that are replaced and never changed."""
    for old in stage.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for own in ours(folder):
        for path in (own, *own.rglob("*")):
            if path.is_file() and not any(fnmatch(path.name, each) for each in NOT_COPIED):
                to = stage / path.relative_to(folder)
                to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.link(path, to)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of all files below a folder, by their names in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = digest
    return found
