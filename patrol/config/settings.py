"""patrol.toml and the environment, read and checked; every mistake is reported at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from geofence.errors import ZonesError
from geofence.geojson import Feature, read_features
from geofence.zones import Zones, parse_zones
from ingest.zone_files import as_geojson
from patrol.config.accepted_bikes import read_accepted, with_accepted
from patrol.config.drawn_zones import read_drawn
from patrol.config.fields import FOLDER, Name, Section, did_you_mean, located, read_bounded
from patrol.config.sections import (
    District,
    Policy,
    PolicyPart,
    Quality,
    Settings,
    Storage,
    keys_of,
)
from patrol.config.tables import (
    Key,
    Places,
    Tables,
    complaint,
    key_of,
    overridden,
    parse_tables,
    unknown_variables,
    written,
)
from patrol.errors import ConfigError, Problem

S = TypeVar("S", bound=Section)


def load(path: Path) -> Settings:
    """Read a patrol.toml, and the environment over it; paths in both are relative to its folder.

    Bikes that administrators have accepted are on their vendors' lists.

    ConfigError: with every mistake of the file and the environment. What is in the zones is not
    looked at; see :func:`load_with_zones`.
    """
    draft = _SettingsDraft(path, Settings)
    settings = draft.read()
    if settings is None or draft.problems:
        raise ConfigError(draft.problems)
    return with_accepted(settings, read_accepted(settings.storage.path))


def load_with_zones(path: Path, *, storage: Path | None = None) -> tuple[Settings, Zones]:
    """Read a patrol.toml, the environment over it, and the zones that it names.

    Zones that were drawn on the map take the place of those that it names; they are looked for in
    the folder `storage`, or None for that of the settings.

    ConfigError: with every mistake of the file, the environment, the zones and the exclusions, and
    with the zones and policies that one file names and the other does not have.
    """
    draft = _SettingsDraft(path, Settings)
    settings, zones = draft.read(), draft.zones(storage)
    if settings is None or zones is None or draft.problems:
        raise ConfigError(draft.problems)
    accepted = read_accepted(storage or settings.storage.path)
    return with_accepted(settings, accepted), zones


class PolicyFile(Section):
    """A file of parts of policies alone."""

    policies: dict[Name, PolicyPart] = Field(min_length=1)


def load_policies(path: Path, known: Mapping[str, Policy]) -> dict[str, Policy]:
    """Read a file of ``[policies.*]``, each of which has the name of a `known` one.

    A key that is not given keeps that of the known one, as in a campaign.

    ConfigError: with every mistake; a policy of another name is one, as no zone names it.
    """
    draft = _Draft(path, PolicyFile)
    file = draft.read()
    found = {} if file is None else file.policies
    for name in found.keys() - known.keys():
        draft.report(("policies", name), f"no policy has this name{did_you_mean(name, known)}")
    if draft.problems:
        raise ConfigError(draft.problems)
    return {name: part.over(known[name]) for name, part in found.items()}


class _Draft(Generic[S]):
    """A file of tables that may be wrong anywhere; what can be read of it is read."""

    def __init__(self, path: Path, model: type[S]) -> None:
        self._path, self._model = path, model
        self._found: list[tuple[float, Problem]] = []
        self._broken: set[Key] = set()
        self._tables: Tables | None = None
        text = self._text()
        self._places = Places(path, text or "")
        if text is not None:
            self._tables = self._parse(text)

    @property
    def problems(self) -> list[Problem]:
        """The mistakes found so far: by line, then those of the zones."""
        return [problem for _, problem in sorted(self._found, key=itemgetter(0))]

    def read(self) -> S | None:
        """The values, unless there is a mistake in them."""
        if self._tables is None:
            return None
        token = FOLDER.set(self._path.parent)
        try:
            return self._model.model_validate(self._tables)
        except ValidationError as exc:
            self._translate(exc.errors())
            return None
        finally:
            FOLDER.reset(token)

    def report(self, key: Key, message: str) -> None:
        """Add a mistake at a key."""
        self._found.append((self._places.line(key) or 0, Problem(self._places.where(key), message)))

    def _text(self) -> str | None:
        try:
            # Editors on Windows put a byte order mark first, which TOML does not allow.
            return read_bounded(self._path).decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            message = f"is not UTF-8 text (byte {exc.start}); save it as UTF-8"
        except OSError as exc:
            message = f"cannot be read: {exc.strerror}"
        except ValueError as exc:
            message = str(exc)
        self._found.append((0, Problem(str(self._path), message)))
        return None

    def _parse(self, text: str) -> Tables | None:
        tables, mistakes = parse_tables(text)
        for line, message in mistakes:
            # The line at which reading ended only noticed a mistake that lies elsewhere.
            key = () if tables is None else self._places.key(line)
            self._broken.add(key)
            place = f"{self._path}:{line}"
            self._found.append(
                (line, Problem(f"{place}: {written(key)}" if key else place, message))
            )
        return tables

    def _translate(self, errors: list[ErrorDetails]) -> None:
        """Report pydantic's findings, one for each mistake."""
        unknown = [key_of(error) for error in errors if error["type"] == "extra_forbidden"]
        for error in errors:
            key = key_of(error)
            misspelt = any(
                key[:-1] == other[:-1] and did_you_mean(other[-1], key[-1:]) for other in unknown
            )
            if key not in self._broken and not (error["type"] == "missing" and misspelt):
                self.report(key, complaint(error, keys_of(key[:-1], self._model)))


class _SettingsDraft(_Draft[Settings]):
    """A patrol.toml, the environment over it, and the zones that it names."""

    def read(self) -> Settings | None:
        """The settings, unless there is a mistake in them."""
        settings = super().read()
        if self._tables is not None:
            self._compare_times()
            self._found += ((0, problem) for problem in unknown_variables(Settings))
        return settings

    def _text(self) -> str | None:
        if not self._path.exists():
            message = "there is no such file; name one with --config"
            raise ConfigError([Problem(str(self._path), message)])
        return super()._text()

    def _parse(self, text: str) -> Tables | None:
        tables = super()._parse(text)
        return None if tables is None else overridden(tables, Settings)

    def zones(self, storage: Path | None) -> Zones | None:
        """The zones, unless there is a mistake in them."""
        source = self._value("district", "zones")
        geojson = self._bytes(source)
        if self._tables is None or geojson is None:
            return None  # already reported, with the name of the file
        try:
            drawn = read_drawn(storage or self._storage(), geojson, str(source))
            source, geojson = drawn or (source, geojson)
        except ZonesError as exc:
            self._found += ((math.inf, problem) for problem in exc.problems)
        exclusions = self._value("district", "exclusions")
        excluded = self._bytes(exclusions)
        try:
            geojson = as_geojson(geojson, str(source))
            features = list(read_features(geojson, "", "zone_id", []))
            self._find_zones(_named(features, "zone_id"), str(source))
            return parse_zones(
                geojson,
                excluded and as_geojson(excluded, str(exclusions)),
                # With no policy at all, that is the mistake, and not each zone that names one.
                set(self._table("policies")) or _named(features, "policy"),
                source=str(source),
                exclusions_source=str(exclusions),
                timezone=self._timezone(),
                cell_m=self._metres("cell_m"),
                overlap_m=self._metres("overlap_m"),
            )
        except ZonesError as exc:
            self._found += ((math.inf, problem) for problem in exc.problems)
            return None

    def _storage(self) -> Path:
        """The folder of the storage; the default's when the setting is no path."""
        path = self._value("storage", "path")
        default = Storage.model_fields["path"].default
        try:
            return located(path if isinstance(path, str | Path) else default, self._path.parent)
        except ValueError:
            return located(default, self._path.parent)

    def _compare_times(self) -> None:
        """Report what is right in one section and wrong beside another."""
        days = self._value("storage", "coverage_days")
        try:
            max_age_s = Quality.model_validate(self._table("quality")).max_age_s
            too_short = max_age_s >= float(days) * 86_400
        except (ValueError, TypeError):
            return  # one of them is wrong by itself
        if too_short:
            self.report(
                ("storage", "coverage_days"),
                f"{days} days must be more than [quality] max_age, or the oldest fixes that are "
                "accepted have nowhere to count",
            )

    def _find_zones(self, known: set[str], source: str) -> None:
        """Report zones that campaigns and notifications name and the file does not have."""
        for section in ("campaigns", "notify"):
            for name, table in self._table(section).items():
                zones = table.get("zones") if isinstance(table, dict) else None
                for zone in zones if isinstance(zones, list) else ():
                    if known and isinstance(zone, str) and zone not in known:
                        hint = did_you_mean(zone, known)
                        message = f'there is no zone "{zone}" in {source}{hint}'
                        self.report((section, name, "zones"), message)

    def _table(self, name: str) -> Tables:
        table = (self._tables or {}).get(name)
        return table if isinstance(table, dict) else {}

    def _value(self, section: str, key: str) -> Any:
        """What is written, or else the default; it need not be right."""
        return self._table(section).get(key, keys_of((section,))[key].default)

    def _bytes(self, path: object) -> bytes | None:
        if not isinstance(path, str | Path):
            return None
        try:
            return read_bounded(located(path, self._path.parent))
        except (OSError, ValueError):
            return None

    def _metres(self, key: str) -> float:
        """A length of the district [m]; the default's when the setting is wrong."""
        try:
            metres = float(self._value("district", key))
        except (TypeError, ValueError):
            metres = math.nan
        return metres if 0 <= metres <= 1_000 else float(District.model_fields[key].default)

    def _timezone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self._value("district", "timezone"))
        except (KeyError, TypeError, ValueError, OSError):  # not found is a KeyError
            return ZoneInfo(District.model_fields["timezone"].default)


def _named(features: Iterable[Feature], key: str) -> set[str]:
    """The texts that features have under a property; a whole number is one."""
    values = (feature.properties.get(key) for feature in features)
    return {str(value) for value in values if isinstance(value, str | int)}
