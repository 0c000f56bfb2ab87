"""From settings to the parts of the system: the one place that knows which value goes where."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from alerts.fleet import FleetLimits
from alerts.hours import Hours
from alerts.notify import Filter
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.wording import Language, Wording
from alerts.plan import Policies
from bikes.fleet import FleetState
from bikes.formats import FORMATS
from bikes.roster import Roster
from bikes.topics import INBOUND_FILTERS, TopicPattern
from geofence.quality import Limits
from geofence.runs import Judge, Midnights, OnShift
from geofence.zonemap import ZoneMap, zone_map
from geofence.zones import Zones
from ingest.archive import Archive
from ingest.connection import MqttOptions
from ingest.decode import Decoder
from ingest.log import Log
from ingest.pipeline import Pipeline
from ingest.vendors import DecodeLimits, VendorFormat
from ingest.worker import Worker
from patrol.fields import read_secret
from patrol.sections import Mqtt
from patrol.settings import Settings

TOUCHED_M = 0.001
"""A path along a line, or through a corner, has less than this in the cells it only touches [m]."""


@dataclass(frozen=True)
class District:
    """What does not change while the system runs.

    Attributes
    ----------
    settings : Settings
        As read.
    zones : ZoneMap
        The zones that are valid at the start.
    policies : Policies
        What is asked of each zone; follows what people order.
    judge : Judge
        What turns fixes into visits.
    """

    settings: Settings
    zones: ZoneMap
    policies: Policies
    judge: Judge

    @property
    def fingerprint(self) -> str:
        """Changes when stored coverage would come out differently."""
        quality = self.settings.quality
        parts = (
            self.zones.digest,
            repr(self.judge.limits),
            self.judge.min_cell_m.tolist(),
            quality.duty_hours,
            quality.reorder_s,
            self.settings.district.timezone,
            self.settings.storage.coverage_days,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def district_of(settings: Settings, zones: Zones, now_ms: int) -> District:
    """The district as configured, with the zones that are valid at `now_ms`."""
    timezone = settings.district.timezone
    zones_map = zone_map(zones, cell_m=settings.district.cell_m, at_ms=now_ms)
    policies = Policies.parse(
        {zone.zone_id: zone.policy for zone in zones_map.zones},
        {name: policy.as_written() for name, policy in settings.policies.items()},
        ZoneInfo(timezone),
        campaigns={name: item.as_written() for name, item in settings.campaigns.items()},
        calendars=_calendars(settings),
    )
    quality = settings.quality
    limits = Limits(
        max_accuracy_m=quality.max_accuracy_m,
        max_speed_mps=quality.max_speed_mps,
        max_gap_s=quality.max_gap_s,
        max_gap_m=quality.max_gap_m,
        parked_radius_m=quality.parked_radius_m,
        parked_after_s=quality.parked_after_s,
    )
    # A campaign changes what is asked of a zone, not what counts as a visit.
    min_cell_m = [
        max(settings.policies[zone.policy].min_cell_m, TOUCHED_M) for zone in zones_map.zones
    ]
    on_shift = on_shift_of(quality.duty_hours, timezone) if quality.duty_hours else None
    judge = Judge(
        zones_map, limits, Midnights(timezone), np.array(min_cell_m, np.float64), on_shift
    )
    return District(settings, zones_map, policies, judge)


def worker_of(district: District, log: Log, folder: Path) -> Worker:
    """The reader of the log, with its state in `folder`."""
    settings = district.settings
    roster = Roster({name: vendor.bikes for name, vendor in settings.vendors.items()})
    archive = Archive(folder / "archive", roster, settings.district.timezone)
    return Worker(
        log=log,
        decoder=decoder_of(settings, roster),
        roster=roster,
        pipeline=Pipeline(district.judge, archive, settings.quality.reorder_s),
        archive=archive,
        fleet=FleetState(roster),
        snapshot_file=folder / "coverage.npz",
        fingerprint=district.fingerprint,
        coverage_days=settings.storage.coverage_days,
    )


def vendors_of(settings: Settings) -> dict[str, VendorFormat]:
    """How each vendor writes."""
    return {
        name: VendorFormat(
            name,
            FORMATS[vendor.format],
            vendor.datum,
            tuple(TopicPattern(topic) for topic in vendor.topics),
        )
        for name, vendor in settings.vendors.items()
    }


def decoder_of(settings: Settings, roster: Roster) -> Decoder:
    """What reads the vendors' messages."""
    limits = DecodeLimits(settings.quality.max_future_s, settings.quality.max_age_s)
    return Decoder(roster, vendors_of(settings), limits)


def mqtt_options(mqtt: Mqtt, *, suffix: str = "", filters: Sequence[str] = ()) -> MqttOptions:
    """How to connect; `suffix` tells several clients of one configuration apart."""
    password = None if mqtt.password_file is None else read_secret(mqtt.password_file)
    return MqttOptions(
        host=mqtt.host,
        port=mqtt.port,
        tls=mqtt.tls,
        protocol=mqtt.protocol,
        username=mqtt.username,
        password=password,
        ca_file=None if mqtt.ca_file is None else str(mqtt.ca_file),
        client_id=mqtt.client_id + suffix,
        filters=tuple(filters),
    )


def filters_of(settings: Settings) -> tuple[str, ...]:
    """What the inlet subscribes to: the contract's topics, and those that vendors insist on."""
    own = [
        TopicPattern(topic).filter
        for vendor in settings.vendors.values()
        for topic in vendor.topics
    ]
    return (*INBOUND_FILTERS, *own)


def limits_of(settings: Settings) -> FleetLimits:
    """From when on bikes and vendors are somebody's business."""
    rules = settings.rules
    return FleetLimits(
        offline_after_s=rules.bike_offline_after_s,
        forgotten_after_s=rules.bike_forgotten_after_s,
        battery_low_percent=rules.battery_low_percent,
        outside_m=rules.outside_m,
        rejects_share=rules.rejects_share,
        rejects_period_s=rules.rejects_period_s,
        rejects_min=rules.rejects_min,
    )


def recipients_of(district: District) -> list[AppriseNotifier]:
    """Everybody in [notify.*]."""
    settings = district.settings
    zone = ZoneInfo(settings.district.timezone)
    people = []
    for name, section in settings.notify.items():
        names = zone_names(district.zones, section.language)
        wanted = Filter(
            severities=section.severities or None,
            rules=section.rules or None,
            zones=section.zones or None,
        )
        people.append(
            AppriseNotifier(
                name,
                section.url,
                Wording(section.language, zone, names),
                wanted,
                escalate_after_s=section.escalate_after_s,
                bulletins=section.bulletins,
                bulletins_at_min=section.bulletins_at_min,
            )
        )
    return people


def zone_names(zones: ZoneMap, language: Language) -> dict[str, str]:
    """What people call each zone, by its id."""
    return {
        zone.zone_id: (zone.name_zh if language == "zh" else None) or zone.name
        for zone in zones.zones
    }


def on_shift_of(lines: Sequence[str], timezone: str) -> OnShift:
    """Duty hours as a question that is asked of many times at once."""
    hours = Hours.parse(list(lines), ZoneInfo(timezone))

    def on_shift(at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not at_ms.size:
            return np.empty(0, np.bool_)
        first, last = int(at_ms.min()), int(at_ms.max())
        changes = [first]
        while (change := hours.next_change(changes[-1])) is not None and change <= last:
            changes.append(change)
        period = np.searchsorted(changes, at_ms, side="right") - 1
        # Duty begins and ends in turn, from what held at the first time.
        on: NDArray[np.bool_] = (period % 2 == 0) == hours.contains(first)
        return on

    return on_shift


def _calendars(settings: Settings) -> dict[str, str]:
    """Text of the calendars of exceptions, by the name that `exceptions` has in a policy."""
    files = {
        section.exceptions
        for section in (*settings.policies.values(), *settings.campaigns.values())
        if section.exceptions is not None
    }
    return {str(file): file.read_text("utf-8-sig") for file in files}
