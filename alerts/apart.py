"""What fails of one zone or part is left out and named, and never ends the others.

Beside the supervisor only this catches errors that nobody foresaw.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from alerts.errors import BookError

log = structlog.get_logger(__name__)


class Apart:
    """Runs parts of a whole, and knows which of them have failed at their last try, and why."""

    def __init__(self) -> None:
        self.troubles: dict[str, str] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Leave out what is done in the context from where it fails; those of the book pass."""
        try:
            yield
        except BookError:
            raise
        except Exception as exc:
            if name not in self.troubles:
                log.exception("left out, the others go on", what=name)
            self.troubles[name] = f"{type(exc).__name__}: {exc}"
        else:
            self.troubles.pop(name, None)
