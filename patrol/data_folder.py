"""The data folder: readable by its owner only, and whether all that is in it is whole."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from fnmatch import fnmatch
from pathlib import Path
from stat import S_ISLNK
from tempfile import TemporaryDirectory

import msgspec

from alerts.store.book_file import BookFile
from dashboards.access.audit import AccessFile
from files.sqlite_file import SqliteFile, fault_of
from geofence.errors import ZonesError
from ingest import set_aside, snapshot
from ingest.day_file import check_file
from ingest.errors import ArchiveDamaged, SnapshotDamaged
from ingest.influx.file import InfluxFile
from ingest.log import LogFile
from ingest.log_reading import entries_of
from patrol.config.accepted_bikes import NAME as ACCEPTED
from patrol.config.drawn_zones import NAME, read_drawn

_OURS = (
    *("*.sqlite*", "coverage.*", "archive", set_aside.FOLDER),
    *(f"{Path(name).stem}.*" for name in (NAME, ACCEPTED)),
)

DATABASES: dict[str, type[SqliteFile]] = {
    "alerts.sqlite": BookFile,
    "access.sqlite": AccessFile,
    "influx.sqlite": InfluxFile,
    "log.sqlite": LogFile,
}


def ours(folder: Path) -> list[Path]:
    """What is in the folder and a station's own, by the names."""
    return [path for path in folder.iterdir() if any(fnmatch(path.name, name) for name in _OURS)]


def keep_private(folder: Path) -> None:
    """Make the folder when missing, and let only the owner read what is ours in it.

    Older versions let everybody. Files of others are left as they are, and so is a folder that
    holds some.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = ours(folder)
    alone = len(own) == len(list(folder.iterdir()))
    below = [path for each in own if each.is_dir() for path in each.rglob("*")]
    for path in (*own, *below, *([folder] if alone else ())):
        with suppress(OSError):  # of another owner, or gone meanwhile
            mode = path.lstat().st_mode
            if mode & 0o077 and not S_ISLNK(mode):
                path.chmod(mode & 0o700)


def why_not_writable(folder: Path) -> str:
    """Why this user can store nothing in a folder, which is made when missing; empty if it can."""
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with TemporaryDirectory(dir=there):
            locked = [file for file in folder.glob("*.sqlite*") if not os.access(file, os.W_OK)]
    except OSError as exc:
        return f"nothing can be stored in {folder}: {exc.strerror}"
    return f"{locked[0]} cannot be written by this user" if locked else ""


class Damage(msgspec.Struct, frozen=True):
    """A damaged file, its day where it holds one, and what is wrong and what to do about it."""

    file: str
    day: str | None
    fault: str


class Verified(msgspec.Struct, frozen=True):
    """What :func:`verify` has found; `without_checksums` are archive files of older versions."""

    whole: bool
    files: int
    without_checksums: int
    damaged: list[Damage]


def verify(folder: Path, configured: Path) -> Verified:
    """Check every file of a data folder to its last byte; a station may run beside it.

    `configured` is the file of zones of the configuration.
    """
    damaged: list[Damage] = []
    without_checksums = 0
    archived = sorted((folder / "archive").glob("*/*.parquet"))
    for file in archived:
        try:
            without_checksums += not check_file(file)
        except ArchiveDamaged as exc:
            damaged.append(Damage(str(file), file.stem, str(exc)))
    there = {folder / name: kind for name, kind in DATABASES.items()}
    databases = {file: kind for file, kind in there.items() if file.exists()}
    for file, kind in databases.items():
        with closing(kind.read_only(file)) as db:
            fault = fault_of(db)
        if fault:
            damaged.append(Damage(str(file), None, f"{fault}: {kind.remedy}"))
        for entry in entries_of(file) if kind is LogFile and not fault else ():
            if entry.fault:
                text = f"messages {entry.first} to {entry.last} {entry.fault}: they are set aside"
                damaged.append(Damage(str(file), None, f"{text} when they are read"))
    try:
        snapshot.load(folder / "coverage.npz", None)
        read_drawn(folder, configured.read_bytes(), str(configured))
    except SnapshotDamaged as exc:
        damaged.append(Damage(str(folder / "coverage.npz"), None, str(exc)))
    except ZonesError as exc:
        damaged += [Damage(problem.where, None, problem.message) for problem in exc.problems]
    aside = folder / set_aside.FOLDER
    damaged += [Damage(str(aside), None, text) for text in set_aside.findings(aside)]
    others = sum((folder / name).exists() for name in ("coverage.npz", NAME, ACCEPTED))
    files = len(archived) + len(databases) + others
    return Verified(not damaged, files, without_checksums, damaged)
