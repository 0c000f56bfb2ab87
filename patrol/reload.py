"""SIGHUP: the configuration is read and checked again, and taken over as far as that goes.

At once: vendors, policies and campaigns with their calendars, recipients, the tokens file, and
the certificate (:mod:`patrol.tls`). All else waits for a start; so do policies and campaigns when
zones or `min_cell_m` have changed, for coverage that is stored depends on these. With a mistake
anywhere all stays as it is. /readyz says so, and what waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from alerts.errors import AlertsError
from alerts.orders import Orders
from alerts.policy import Policy
from dashboards.access.tokens import TokensFileError
from dashboards.sources import Part
from geofence.errors import ZonesError
from ingest.errors import IngestError
from ingest.log import SqliteLog
from patrol import watchdog
from patrol.assembly import (
    District,
    decoding_of,
    district_of,
    mqtt_options,
    policies_named,
    policies_of,
)
from patrol.calendar_check import calendars_told
from patrol.config.fields import Section
from patrol.config.sections import Settings
from patrol.config.settings import load_with_zones
from patrol.errors import ConfigError, Problem
from patrol.tls import why_not_valid

log = structlog.get_logger(__name__)

LIVE = "vendors", "policies", "campaigns", "notify"
JUDGED = "policies", "campaigns"
ZONES = {f"[district] {key}" for key in ("zones", "exclusions", "cell_m", "overlap_m", "timezone")}


def checked(path: Path, now_ms: int) -> District:
    """The district that a configuration describes, as of now [ms].

    ConfigError, ZonesError, PolicyError: with all that `patrol check` finds wrong.
    """
    settings, zones = load_with_zones(path)
    http = settings.http
    if http.pair is not None and (why := why_not_valid(*http.pair, http.public_hosts)):
        raise ConfigError([Problem("http.certificate", f"browsers will refuse it: {why}")])
    district = district_of(settings, zones, now_ms)
    calendars_told(district, now_ms)  # each can be computed
    return district


@dataclass
class Reload:
    """Reads a configuration again when that is asked, and has the parts of a station follow."""

    path: Path
    district: District
    now_ms: Callable[[], int]
    messages: SqliteLog
    orders: Orders
    named: dict[str, Policy]  # the policies by name
    then: Callable[[], Awaitable[None]]
    """Has the parts go by the settings of the district; BookUnavailable: not now."""
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _trouble: str = ""
    _waiting: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._at_start = _read_once(self.district.settings)

    @property
    def part(self) -> Part:
        """The configuration, as /readyz shows it."""
        waits = f"a start is needed for: {', '.join(self._waiting)}" if self._waiting else ""
        return Part("configuration", not self._trouble, self._trouble or waits, required=False)

    def ask(self) -> None:
        """Read it again, soon."""
        self._asked.set()

    async def run(self) -> None:
        """Read it again whenever that is asked, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            watchdog.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                await self._again()
            except (ConfigError, ZonesError, AlertsError, IngestError, TokensFileError) as exc:
                self._refused(str(exc))
            except OSError as exc:
                self._refused(f"{exc.filename} cannot be used: {exc.strerror}")
            finally:
                watchdog.tell("READY=1")

    def _refused(self, why: str) -> None:
        why = "; ".join(why.splitlines())
        self._trouble = f"not reloaded, all stays as it is: {why}"
        log.error("the configuration is not reloaded, all stays as it is", trouble=why)

    async def _again(self) -> None:
        new = await asyncio.to_thread(checked, self.path, self.now_ms())
        running = self.district.settings
        waiting = _for_a_start(running, new.settings)
        read = _read_once(new.settings)
        waiting += [key for key in read.keys() - waiting if read[key] != self._at_start[key]]
        held: tuple[str, ...] = ()
        if ZONES.intersection(waiting):
            held = JUDGED
        elif _least_paths(self.district, new) != _least_paths(self.district, self.district):
            held, waiting = JUDGED, [*waiting, "min_cell_m"]
        differing = [name for name in held if getattr(running, name) != getattr(new.settings, name)]
        taken = {name: getattr(new.settings, name) for name in LIVE if name not in held}
        tokens = {"tokens_file": new.settings.http.tokens_file}
        taken["http"] = running.http.model_copy(update=tokens)
        await self._follow(running.model_copy(update=taken), new, judged=not held)
        self._trouble, self._waiting = "", sorted(waiting) + [f"[{name}]" for name in differing]
        log.info("the configuration is reloaded", waits_for_a_start=", ".join(self._waiting))

    async def _follow(self, settings: Settings, new: District, *, judged: bool) -> None:
        """Have all parts go by other settings from now on; with policies if they are `judged` by.

        PolicyError: orders do not go with them. StoreUnavailable, BookUnavailable: not now.
        """
        district = self.district
        calendars = new.calendars if judged else district.calendars
        zones = district.atlas.layout.zones
        policies = policies_of(settings, calendars, zones, self.orders.campaigns)
        await asyncio.to_thread(self.messages.decode_by, decoding_of(settings))
        district.settings, district.calendars = settings, calendars
        if judged:
            district.judge.min_cell_m.update(new.judge.min_cell_m)
        district.policies.follow(policies)
        self.named.clear()
        self.named.update(policies_named(district))
        await self.then()


def _for_a_start(running: Settings, new: Settings) -> list[str]:
    """The keys that differ and that no running station follows."""
    found = []
    for name in Settings.model_fields.keys() - LIVE:
        old, now = getattr(running, name), getattr(new, name)
        if not (isinstance(old, Section) and isinstance(now, Section)):
            found += [f"[{name}]"] if old != now else []
            continue
        found += [
            f"[{name}] {field.alias or key}"
            for key, field in type(old).model_fields.items()
            if key != "tokens_file" and getattr(old, key) != getattr(now, key)
        ]
    return sorted(found)


def _read_once(settings: Settings) -> dict[str, object]:
    """What is in the files that are read at a start only, by the key that names them."""
    district = settings.district
    exclusions = None if district.exclusions is None else district.exclusions.read_bytes()
    return {
        "[district] zones": district.zones.read_bytes(),
        "[district] exclusions": exclusions,
        "[mqtt] password_file": mqtt_options(settings.mqtt).password,
    }


def _least_paths(zones_of: District, district: District) -> object:
    """How much path makes a visit in which zone when: coverage that is stored depends on it."""
    judge = district.judge
    layout = zones_of.atlas.layout
    by_policy = [[judge.min_cell_m.get(z.policy) for z in era.zones.zones] for era in layout.eras]
    return by_policy, list(judge.other_path)
