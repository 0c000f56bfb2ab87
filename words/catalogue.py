"""Catalogues of texts in Chinese and English, and the one that holds the words of the contract.

A catalogue is TOML, so that a translator can read it: one line for each entry,
``key = ["中文", "English"]``. A table gives its name to the keys below it: ``overdue`` in
``[state]`` is ``state.overdue``. Texts may hold places for values, such as ``{time}``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.abc import Traversable
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, get_args

Language = Literal["zh", "en"]

LANGUAGES: tuple[Language, ...] = get_args(Language)

Entries = Mapping[str, tuple[str, str]]
"""Each key with its text in Chinese and in English."""


def read(source: Traversable) -> Entries:
    """Read a catalogue: one TOML file, or all of a folder in the order of their names.

    ValueError: an entry is not a pair of texts, or a key stands in two places.
    """
    found: dict[str, tuple[str, str]] = {}
    files = [source] if source.is_file() else sorted(source.iterdir(), key=lambda file: file.name)
    for file in files:
        if file.name.endswith(".toml"):
            for key, entry in _flat(tomllib.loads(file.read_text("utf-8"))):
                if key in found:
                    raise ValueError(f"{file.name}: {key} stands in another place too")
                found[key] = entry
    return MappingProxyType(found)


def _flat(table: Mapping[str, object], above: str = "") -> Iterator[tuple[str, tuple[str, str]]]:
    for name, value in table.items():
        key = f"{above}{name}"
        match value:
            case dict():
                yield from _flat(value, f"{key}.")
            case [str(zh), str(en)]:
                yield key, (zh, en)
            case _:
                raise ValueError(f'{key} is not ["Chinese", "English"]')


@cache
def contract() -> Entries:
    """The words of the contract, by kind and word: ``state.overdue``, ``reject.too_old``."""
    return read(files("words") / "contract")


def texts(entries: Entries, language: Language) -> dict[str, str]:
    """All entries in one language, by key."""
    place = LANGUAGES.index(language)
    return {key: entry[place] for key, entry in entries.items()}


def word(entries: Entries, kind: str, value: str, language: Language) -> str:
    """A word of the contract in one language; one that is not known is shown as it is."""
    entry = entries.get(f"{kind}.{value}")
    return value if entry is None else entry[LANGUAGES.index(language)]
