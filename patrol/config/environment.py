"""The environment over patrol.toml: ``PATROL_MQTT__URL`` stands for ``url`` in ``[mqtt]``.

A variable has no small letters and no hyphens, so names are compared without them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from patrol.config.fields import did_you_mean
from patrol.config.toml_tables import Key, Tables
from patrol.errors import Problem

PREFIX = "PATROL_"
DELIMITER = "__"


def variable(key: Key) -> str:
    """The variable that overrides a key."""
    return PREFIX + DELIMITER.join(_fold(part) for part in key).upper()


def overriding(key: Key) -> str | None:
    """The variable that is set and overrides a key, or a table that the key is in."""
    names = (variable(key[:length]) for length in range(len(key), 0, -1))
    return next((name for name in names if name in os.environ), None)


def overridden(tables: Tables, settings: type[BaseSettings]) -> Tables:
    """`tables` with the values of the environment in their place.

    Parameters
    ----------
    tables : dict
        What patrol.toml says.
    settings : type of BaseSettings
        Tells where a variable holds JSON: a list in ``PATROL_VENDORS__A__BIKES='["b1"]'``,
        or a whole table.
    """
    return _merged(tables, _Environment(settings)())


def unknown_variables(settings: type[BaseSettings]) -> Iterator[Problem]:
    """Variables that look like settings of a section that does not exist."""
    known = [name.upper() for name in settings.model_fields]
    for name in sorted(os.environ):
        section, delimiter, _ = name.removeprefix(PREFIX).partition(DELIMITER)
        if name.startswith(PREFIX) and delimiter and section.upper() not in known:
            hint = did_you_mean(section, known)
            yield Problem(f"environment variable {name}", f"there is no section {section}{hint}")


class _Environment(EnvSettingsSource):
    """The settings in the environment, by folded name; they need not be right."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Leave text where a list belongs as it is, for the model to refuse."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _fold(name: str) -> str:
    return name.lower().replace("-", "_")


def _merged(tables: Tables, over: Mapping[str, Any]) -> Tables:
    merged = dict(tables)
    spelt = {_fold(name): name for name in tables}
    for folded, value in over.items():
        name = spelt.get(_fold(folded), folded)
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged
