"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration.", metavar="PATROL.TOML")
]


def duration(text: str) -> float:
    """Seconds of "90s", "30m", "2h"; a number alone is seconds."""
    from alerts.policy import duration_s

    try:
        seconds = duration_s(int(text) if text.isdecimal() else text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    if not seconds:
        raise typer.BadParameter("it must be longer than nothing")
    return float(seconds)
