"""What all commands share: where they print, what they are given, how they end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from patrol.errors import ConfigError, Unreachable

WRONG_INPUT, UNREACHABLE = 1, 3

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration.", metavar="PATROL.TOML")
]


def seconds(text: str) -> float:
    """Seconds of "90s", "30m", "2h"."""
    from alerts.policy import duration_s

    try:
        return float(duration_s(int(text) if text.isdigit() else text))
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


@contextlib.contextmanager
def errors_told() -> Iterator[None]:
    """Turn the errors that a user can do something about into a message and an exit code."""
    from alerts.errors import BookUnavailable, BookUnreadable, PolicyError
    from dashboards.access.errors import AccessRefused, AccessUnavailable, AccessUnreadable
    from geofence.errors import ZonesError
    from ingest.errors import ArchiveDamaged, LogCorrupt, StoreUnavailable

    try:
        yield
    except (ConfigError, ZonesError, PolicyError) as exc:
        for problem in exc.problems:
            err.print(str(problem), markup=False)
        _exit(WRONG_INPUT)
    except AccessRefused as exc:
        err.print(exc.detail, markup=False)
        _exit(WRONG_INPUT)
    except (ArchiveDamaged, LogCorrupt, BookUnreadable, AccessUnreadable) as exc:
        err.print(str(exc), markup=False)
        _exit(WRONG_INPUT)
    except (Unreachable, StoreUnavailable, BookUnavailable, AccessUnavailable) as exc:
        err.print(str(exc), markup=False)
        _exit(UNREACHABLE)


def _exit(code: int) -> NoReturn:
    raise typer.Exit(code)
