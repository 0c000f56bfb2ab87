"""From settings to the parts of the system: the one place that knows which value goes where."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import structlog
from pydantic import ValidationError

from alerts.duty_hours import Hours
from alerts.errors import BookUnavailable
from alerts.fleet import VendorFacts
from alerts.notify import Filter
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.wording import Wording, ZoneNames
from alerts.orders import Orders
from alerts.plan import Policies
from alerts.policy import Campaign, Policy, parse_policy
from alerts.store.book import AlertBook
from alerts.waits import settled_transitions
from bikes.fleet import FleetState
from bikes.roster import BikeKey, Roster
from bikes.topics import INBOUND_FILTERS, TopicPattern
from dashboards.drawing import Drawing
from dashboards.sources import Health
from dashboards.vendor_desk import VendorDesk
from files.secret import Secret
from geofence.atlas import ALWAYS_MS, Atlas
from geofence.coverage import most_bikes
from geofence.errors import Problem, ZonesError
from geofence.presence import bikes_inside
from geofence.quality import Limits
from geofence.runs import Judge, Midnights, OtherPath
from geofence.zones import Zones
from ingest.archive import Archive
from ingest.budgets import VendorLimits
from ingest.decode import Decoder, Decodings
from ingest.errors import StoreUnavailable
from ingest.first_message import FirstMessage, first_message
from ingest.influx.file import InfluxFile
from ingest.influx.line_protocol import AlertStep, HealthFigures
from ingest.influx.reporter import Reporter
from ingest.influx.store import InfluxOptions, InfluxStore
from ingest.influx.tracks import READER, Source
from ingest.influx.writer import InfluxWriter
from ingest.log import SqliteLog
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.listen import Stray, listen, prefixes
from ingest.pipeline import Pipeline
from ingest.vendors import DecodeLimits, VendorFormat
from ingest.verdict_stream import VerdictStream
from ingest.worker import READERS, Worker
from patrol.config.accepted_bikes import read_accepted, with_accepted, write_accepted
from patrol.config.drawn_zones import NAME, digest_of, write_drawn
from patrol.config.fields import read_secret
from patrol.config.sections import Mqtt, Settings, Vendor

logger = structlog.get_logger(__name__)


@dataclass
class District:
    """The values that the parts share, which change in place while the system runs."""

    settings: Settings
    atlas: Atlas  # the zones through time; follows what people draw
    policies: Policies  # what is asked of each zone; follows what people order
    judge: Judge
    calendars: Mapping[str, str]
    """Text of the calendars of exceptions, by the name that `exceptions` has in a policy."""

    @property
    def fingerprint(self) -> str:
        """Changes when stored coverage would come out differently."""
        quality = self.settings.quality
        parts = (
            [
                (
                    era.from_ms,
                    era.zones.digest,
                    [self.judge.min_cell_m[z.policy] for z in era.zones.zones],
                )
                for era in self.atlas.layout.eras
            ],
            repr(self.judge.limits),
            *[(sorted(each.zone_ids), *each[1:]) for each in self.judge.other_path],
            quality.duty_hours,
            quality.reorder_s,
            self.settings.district.timezone,
            self.settings.storage.coverage_days,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()


TOUCHED_M = 0.001
"""A path along a line, or through a corner, has less than this in the cells it only touches [m]."""


def district_of(settings: Settings, zones: Zones, now_ms: int) -> District:
    """The district as configured.

    ZonesError: there is no zone at `now_ms`, some zone has no patrollable cell, or the grid has too
    many for the bikes.
    """
    if not zones.at(now_ms):
        raise ZonesError([Problem("zones", "none is valid now; see valid_from and valid_to")])
    atlas = Atlas(zones, cell_m=settings.district.cell_m)
    bikes = sum(
        vendor.max_bikes if isinstance(vendor.bikes, str) else len(vendor.bikes)
        for vendor in settings.vendors.values()
    )
    if bikes > (most := most_bikes(atlas.grid.size)):
        message = (
            f"a grid of {atlas.grid.size:,} cells can have {most:,} bikes, and {bikes:,} may come: "
            "lower max_bikes, use larger cells (district.cell_m), or split the district"
        )
        raise ZonesError([Problem("vendors", message)])
    quality = settings.quality
    limits = Limits(**quality.model_dump(include={field.name for field in fields(Limits)}))
    min_cell_m = {
        name: max(policy.min_cell_m, TOUCHED_M) for name, policy in settings.policies.items()
    }
    tz = settings.district.tz
    on_shift = Hours.parse(quality.duty_hours, tz).contain if quality.duty_hours else None
    files = {
        section.exceptions
        for section in (*settings.policies.values(), *settings.campaigns.values())
        if section.exceptions is not None
    }
    calendars = {str(file): file.read_text("utf-8-sig") for file in files}
    policies = policies_of(settings, calendars, zones)
    other_path = [
        OtherPath(frozenset(campaign.zones), campaign.from_ms, campaign.to_ms, max(m, TOUCHED_M))
        for campaign in policies.campaigns
        if isinstance(m := campaign.keys.get("min_cell_m"), int | float)
        and not campaign.keys.get("paused")
    ]
    judge = Judge(
        atlas, limits, Midnights(settings.district.timezone), min_cell_m, on_shift, other_path
    )
    return District(settings, atlas, policies, judge, calendars)


def policies_of(
    settings: Settings,
    calendars: Mapping[str, str],
    zones: Zones,
    orders: Sequence[Campaign] = (),
) -> Policies:
    """The plans of all zones of all times, by the configuration and by orders.

    PolicyError: with everything that is wrong in any section, each with its key.
    """
    return Policies.parse(
        versions_of(zones),
        {name: policy.as_written() for name, policy in settings.policies.items()},
        settings.district.tz,
        campaigns={name: item.as_written() for name, item in settings.campaigns.items()},
        calendars=calendars,
        orders=orders,
    )


def drawing_of(
    district: District,
    redrawn: Callable[[int, str], None],
    orders: Orders,
    folder: Path,
    then: Callable[[], None],
) -> Drawing:
    """The way to redraw the zones of a station, whose file is kept in `folder`.

    `redrawn` judges again, soon, what lies after an instant [ms], such as fixes of a bike whose
    clock is ahead; its second argument is the new fingerprint. `then` is called when the atlas, the
    policies with their orders, and the intake have followed.
    """
    settings = district.settings
    configured = digest_of(settings.district.zones.read_bytes())

    def write(zones: Zones) -> None:
        write_drawn(folder / NAME, zones, configured, settings.district.tz)

    def plans(zones: Zones) -> Policies:
        return policies_of(district.settings, district.calendars, zones, orders.campaigns)

    def follow(from_ms: int) -> None:
        district.policies.follow(plans(district.atlas.layout.zones))
        redrawn(from_ms, district.fingerprint)
        then()

    return Drawing(district.atlas, write, plans, follow)


def versions_of(zones: Zones) -> dict[str, list[tuple[int, str | None]]]:
    """From when on each zone has which policy [ms]; None while there is no such zone."""
    found: dict[str, list[tuple[int, str | None]]] = {}
    for zone in zones.zones:
        own = found.setdefault(zone.zone_id, [])
        begins_ms = ALWAYS_MS if zone.valid_from_ms is None else zone.valid_from_ms
        if own and own[-1][0] == begins_ms:
            own.pop()  # a version follows at once
        elif not own and begins_ms != ALWAYS_MS:
            own.append((ALWAYS_MS, None))
        if not own or own[-1][1] != zone.policy:
            own.append((begins_ms, zone.policy))
        if zone.valid_to_ms is not None:
            own.append((zone.valid_to_ms, None))
    return found


def policies_named(district: District) -> dict[str, Policy]:
    """The policies of the configuration, by name, as they are without a campaign."""
    tz = district.settings.district.tz
    return {
        name: parse_policy(name, policy.as_written(), tz, district.calendars)
        for name, policy in district.settings.policies.items()
    }


def worker_of(district: District, log: SqliteLog, folder: Path) -> Worker:
    """The reader of the log, with its state in `folder`."""
    settings = district.settings
    roster = Roster(bikes_of(settings))
    log.decode_by(decoding_of(settings))
    archive = Archive(folder / "archive", roster, settings.district.timezone)
    return Worker(
        log=log,
        decoder=decodings_of(settings, log, roster),
        roster=roster,
        pipeline=Pipeline(district.judge, archive, settings.quality.reorder_s),
        archive=archive,
        fleet=FleetState(roster),
        snapshot_file=folder / "coverage.npz",
        fingerprint=district.fingerprint,
        coverage_days=settings.storage.coverage_days,
    )


def bikes_of(settings: Settings) -> dict[str, Iterable[str] | Literal["any"]]:
    """The bikes that each vendor may have."""
    return {name: vendor.bikes for name, vendor in settings.vendors.items()}


def decoding_of(settings: Settings) -> str:
    """The settings by which messages are decoded, as the log keeps them beside the messages."""
    vendors = {
        name: vendor.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for name, vendor in settings.vendors.items()
    }
    quality = settings.quality.model_dump(include={"max_future_s", "max_age_s"})
    local = {"timezone": settings.district.timezone}
    said = {"vendors": vendors, "quality": quality, "district": local}
    return json.dumps(said, sort_keys=True)


def decodings_of(settings: Settings, log: SqliteLog, roster: Roster) -> Decodings:
    """The decoders of the vendors' messages, each by what held when its messages came.

    Settings that this version does not understand any more give way to those there are.
    """

    def made(text: str) -> Decoder:
        said = json.loads(text)
        try:
            found = {name: Vendor.model_validate(each) for name, each in said["vendors"].items()}
        except ValidationError as exc:
            logger.warning("what came before is decoded by the settings of now", why=str(exc))
            return decoder_of(settings, roster)
        then = settings.model_copy(
            update={
                "vendors": found,
                "quality": settings.quality.model_copy(update=said["quality"]),
                "district": settings.district.model_copy(update=said["district"]),
            }
        )
        return decoder_of(then, roster.under(bikes_of(then)))

    return Decodings(log, made)


def vendors_of(settings: Settings) -> dict[str, VendorFormat]:
    """The format, datum, topics and limits of each vendor."""
    return {
        name: VendorFormat(
            name,
            vendor.reader(settings.district.timezone),
            vendor.datum,
            tuple(TopicPattern(topic) for topic in vendor.topics),
            VendorLimits(*(getattr(vendor, limit.name) for limit in fields(VendorLimits))),
        )
        for name, vendor in settings.vendors.items()
    }


def vendor_desk_of(
    district: District,
    worker: Worker,
    folder: Path,
    broker: MqttOptions,
    counts: Callable[[int], Mapping[str, VendorFacts]],
    now_ms: Callable[[], int],
) -> VendorDesk:
    """What may be asked of the vendors of a station, and changed in their lists of bikes.

    ConfigError: the file of the bikes that were accepted, in `folder`, cannot be read.
    """

    def formats() -> dict[str, VendorFormat]:
        return vendors_of(district.settings)

    def first(vendor: str) -> FirstMessage | None:
        bikes = district.settings.vendors[vendor].bikes
        bike_id = bikes[0] if bikes != "any" and bikes else "B1"
        place = district.atlas.at(now_ms()).zones[0].geometry.representative_point()
        return first_message(formats()[vendor], bike_id, place.y, place.x, now_ms(), broker)

    def listen_for(vendor: str, for_s: float) -> tuple[list[str], list[Stray]]:
        vendors = formats()
        filters = prefixes(vendor, vendors[vendor].topics)
        known = [topic for each in vendors.values() for topic in each.topics]
        return filters, listen(broker, filters, known, for_s)

    def follow(key: BikeKey, listed: bool) -> None:
        settings = with_accepted(district.settings, [key], listed=listed)
        worker.log.decode_by(decoding_of(settings))
        district.settings = settings
        worker.roster.follow(bikes_of(settings))

    return VendorDesk(
        formats,
        counts,
        first,
        listen_for,
        lambda accepted: write_accepted(folder, accepted),
        follow,
        tuple(read_accepted(folder)),
    )


def decoder_of(settings: Settings, roster: Roster) -> Decoder:
    """The decoder of the vendors' messages by the settings there are."""
    limits = DecodeLimits(settings.quality.max_future_s, settings.quality.max_age_s)
    return Decoder(roster, vendors_of(settings), limits)


def mqtt_options(mqtt: Mqtt, *, suffix: str = "", filters: Sequence[str] = ()) -> MqttOptions:
    """Options of a connection to the broker; `suffix` tells clients of one configuration apart."""
    password = None if mqtt.password_file is None else read_secret(mqtt.password_file)
    ca_file, certificate, key = (
        None if file is None else str(file) for file in (mqtt.ca_file, mqtt.certificate, mqtt.key)
    )
    return MqttOptions(
        mqtt.host,
        mqtt.port,
        tls=mqtt.tls,
        protocol=mqtt.protocol,
        username=mqtt.username,
        password=password,
        ca_file=ca_file,
        certificate=certificate,
        key=key,
        client_id=mqtt.client_id + suffix,
        filters=tuple(filters),
    )


def filters_of(settings: Settings) -> tuple[str, ...]:
    """Filters that the inlet subscribes to: the topics of the contract, and of vendors."""
    own = [
        TopicPattern(topic).filter
        for vendor in settings.vendors.values()
        for topic in vendor.topics
    ]
    return (*INBOUND_FILTERS, *own)


def recipients_of(district: District, now_ms: Callable[[], int]) -> list[AppriseNotifier]:
    """Everybody in [notify.*]; `now_ms` is the clock [ms] by which zones have their names."""
    settings = district.settings
    return [
        AppriseNotifier(
            name,
            section.address,
            Wording(
                section.language,
                settings.district.tz,
                ZoneNames(district.atlas, section.language, now_ms),
            ),
            Filter(
                severities=section.severities or None,
                rules=section.rules or None,
                zones=section.zones or None,
            ),
            escalate_after_s=section.escalate_after_s,
            bulletins=section.bulletins,
            bulletins_at_min=section.bulletins_at_min,
        )
        for name, section in settings.notify.items()
    ]


def readers_of(settings: Settings) -> tuple[str, ...]:
    """The readers of the log. InfluxDB's cursor holds it back only while [influx] is there."""
    return READERS if settings.influx is None else (*READERS, READER)


def influx_writer_of(
    district: District,
    worker: Worker,
    folder: Path,
    book: AlertBook,
    health: Callable[[], Health],
    now_ms: Callable[[], int],
) -> InfluxWriter | None:
    """The writer as configured; None when nothing is to be sent to InfluxDB.

    StoreUnavailable: its file in `folder` cannot be opened.
    """
    influx = district.settings.influx
    if influx is None:
        return None

    def token_now() -> Secret | None:
        return None if influx.token_file is None else read_secret(influx.token_file)

    options = InfluxOptions(str(influx.url), influx.org, influx.bucket, token_now(), token_now)
    file = InfluxFile(folder / "influx.sqlite")
    worker.tell_repeats = file.repeat
    source = Source(
        file,
        worker.log,
        # Another decoder than the worker's, because a decoder is for one thread.
        decodings_of(district.settings, worker.log, worker.roster),
        worker.roster,
        VerdictStream(district.judge, worker.archive, worker.pipeline.reorder_s),
        worker.recent,
        # Messages that the worker has read are in the archive, or in its tail.
        upto=lambda: worker.seq,
    )

    def transitions(after_seq: int, limit: int) -> list[AlertStep]:
        try:
            rows = settled_transitions(book, after_seq, limit, now_ms())
        except BookUnavailable as exc:
            raise StoreUnavailable(str(exc)) from exc
        return [AlertStep(*(getattr(row, name) for name in AlertStep._fields)) for row in rows]

    def figures() -> HealthFigures:
        now, depth = health(), worker.log.head - worker.seq
        return HealthFigures(
            now.received, now.stored, now.rejected, now.duplicates, depth, now.lag_s
        )

    reporter = Reporter(
        file,
        figures,
        lambda: [(part.name, part.ok, part.reason) for part in health().parts],
        lambda: bikes_inside(district.atlas.at(now_ms()), worker.view.fleet.live(now_ms())),
        now_ms,
        socket.gethostname(),
    )
    return InfluxWriter(lambda: InfluxStore(options), source, reporter, transitions)
