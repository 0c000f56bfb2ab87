"""Errors before anything starts."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.errors import Problem

__all__ = ["ConfigError", "Problem", "Unreachable"]


class ConfigError(Exception):
    """The configuration cannot be used; nothing was started.

    `problems` are all mistakes: those of patrol.toml first, by line, then those of the zones.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Unreachable(Exception):
    """A port or a server that is needed cannot be had. Exit code 3."""
