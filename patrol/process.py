"""Shared by all commands: options, exit codes, signals, the log.

Exit codes: 0 done, 1 the input is wrong, 2 usage, 3 something it needs cannot be reached.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, cast

import typer

from files.secret import harmless

if TYPE_CHECKING:
    import asyncio

    from structlog.typing import Processor

WRONG_INPUT, UNREACHABLE = 1, 3

M_ARENA_MAX = -8  # in glibc's malloc.h


def say(text: str) -> None:
    """A line on stderr, whatever characters the terminal has."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


@contextlib.contextmanager
def errors_told() -> Iterator[None]:
    """Turn the errors that a user can do something about into a message and an exit code.

    Raises typer.Exit; any other error is a bug, and passes.
    """
    from alerts.errors import AlertsError, BookUnavailable, PolicyError
    from dashboards.access.roles import AccessFailed, AccessRefused, AccessUnavailable
    from geofence.errors import ZonesError
    from ingest.errors import BrokerUnavailable, IngestError, StoreUnavailable
    from patrol.errors import ConfigError, Unreachable

    unavailable = StoreUnavailable, BookUnavailable, BrokerUnavailable, AccessUnavailable
    try:
        yield
    except PolicyError as exc:
        text, code = "\n".join(map(str, exc.problems)), WRONG_INPUT
    except AccessRefused as exc:
        text, code = exc.detail, WRONG_INPUT
    except (*unavailable, Unreachable) as exc:
        text, code = str(exc), UNREACHABLE
    except (ConfigError, ZonesError, IngestError, AlertsError, AccessFailed) as exc:
        text, code = str(exc), WRONG_INPUT
    except OSError as exc:
        if exc.filename is None:
            raise  # not a file that somebody named: a bug, or a closed pipe
        text, code = f"{os.fsdecode(exc.filename)} cannot be used: {exc.strerror}", WRONG_INPUT
    else:
        return
    say(harmless(text, indent=""))
    raise typer.Exit(code)


def share_freed_memory() -> None:
    """Have all threads take memory from one pool; only while there is no second thread.

    With a pool for each, as is glibc's custom, each holds for ever what its largest step took.
    Other C libraries have no such call.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def run_until_signalled(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until it ends; SIGINT and SIGTERM set the event that it is given."""
    import asyncio
    import signal

    async def with_signals() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    # What has been imported stays: to look for garbage among it holds everything for 0.1 s.
    gc.freeze()
    with errors_told():
        asyncio.run(with_signals())


class Unfailing:
    """A stream that swallows what it cannot write: a full disk must not end what logs to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or forget it."""
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, or leave it for later."""
        with contextlib.suppress(OSError):
            self._stream.flush()


def log_to_stderr(level: str) -> None:
    """Write the log as lines on stderr, from this level up; see :func:`files.secret.harmless`."""
    import structlog

    number = logging.getLevelNamesMapping()[level]
    # Local variables are left out of tracebacks: they hold all there is.
    plain = structlog.dev.plain_traceback
    entry: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        lambda _, __, said: {
            key: value if isinstance(value, int | float) or key[0] == "_" else harmless(str(value))
            for key, value in said.items()
        },
    ]
    written = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    # Libraries speak when something is wrong; what matters of it we say ourselves.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(written, foreign_pre_chain=entry))
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # it would print what could not be written, as it is
    for noisy in ("uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*entry, written],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, Unfailing(sys.stderr))),
    )
    log = structlog.get_logger("patrol")
    sys.excepthook = lambda *error: log.critical("ended by an error", exc_info=error)
    threading.excepthook = lambda of: log.error("a thread failed", exc_info=of.exc_value)


Config = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration.", metavar="PATROL.TOML")
]
CONFIG = Path("patrol.toml")
"""The configuration when none is named: of the folder one is in."""


def calendar_day(text: str) -> date:
    """A day such as "2026-05-01"."""
    from words.times import bounded_ms

    try:
        found = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        bounded_ms(found)
    except ValueError as exc:
        said = f"{text!r} is not a day between the years 1970 and 2100, such as 2026-05-01"
        raise typer.BadParameter(said) from exc
    return found.date()


def duration(text: str) -> float:
    """Seconds of "90s", "30m", "2h"; a number alone is seconds."""
    from words.times import duration_s

    try:
        seconds = duration_s(int(text) if text.isdecimal() else text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    if not seconds:
        raise typer.BadParameter("it must be longer than nothing")
    return float(seconds)
