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
from contextlib import ExitStack, closing
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import msgspec

from ingest.errors import StoreUnavailable
from ingest.log import LogFile, lock
from ingest.worker import COVERAGE
from patrol.data_folder import DATABASES, OURS, keep_private
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
        there = [path for path in _ours(folder) if path.suffix != ".lock"]
        before = folder / time.strftime("replaced-%Y%m%dT%H%M%S") if there else None
        for path in there:
            assert before is not None
            before.mkdir(mode=0o700, exist_ok=True)
            path.rename(before / path.name)
        for path in stage.iterdir():
            path.rename(folder / path.name)
        keep_private(folder)
        return made, before


def _ours(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if any(fnmatch(p.name, pattern) for pattern in OURS)]


def _take(folder: Path, stage: Path) -> None:
    """Take files and databases of one moment."""
    for _ in range(TRIES):
        with ExitStack() as held:
            before = _readers(folder)
            _link(folder, stage)
            open_ = {}
            for name, kind in DATABASES.items():  # the log is the last
                if (folder / name).exists():
                    open_[name] = held.enter_context(closing(kind.read_only(folder / name)))
                    open_[name].execute("BEGIN")
                    open_[name].execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if before != _readers(folder, open_.get("log.sqlite")):
                continue
            for name, source in open_.items():
                with closing(sqlite3.connect(stage / name)) as copy:
                    source.backup(copy)
            return
    raise StoreUnavailable(f"{folder} changes too fast to be copied; try again")


def _readers(folder: Path, log: sqlite3.Connection | None = None) -> list[tuple[str, int]]:
    """How far the log's readers are, but for coverage, which is written down more often than the
    log is trimmed; none when there is no log."""
    if log is None:
        if not (folder / "log.sqlite").exists():
            return []
        with closing(LogFile.read_only(folder / "log.sqlite")) as db:
            return _readers(folder, db)
    query = "SELECT reader, seq FROM cursor WHERE reader != ? ORDER BY reader"
    return log.execute(query, (COVERAGE,)).fetchall()


def _link(folder: Path, stage: Path) -> None:
    """Links to all files that are replaced and never changed."""
    for old in stage.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for own in _ours(folder):
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
