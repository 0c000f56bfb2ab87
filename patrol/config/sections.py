"""The tables of patrol.toml, as plain frozen values.

Nothing here does anything: the station turns these values into the parts of the system.
docs/configuration.md says what each key means; a test fails when one is missing there.
Keys that hold a duration are named without a unit in the file ("2h") and with one here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, create_model, model_validator
from pydantic.fields import FieldInfo

from alerts.duty_hours import ALWAYS
from alerts.errors import PolicyError
from alerts.periods import KINDS, Kind
from alerts.policy import parse_campaign
from alerts.rules import RULES
from alerts.rules.registry import Registry, Severity
from bikes.formats import FORMATS, Format
from bikes.formats.mapped import TIME_TEXT, Quantity, Source, mapped
from bikes.topics import TopicPattern
from files.secret import Secret
from geofence.windows import WindowKind
from patrol.config.fields import (
    Bikes,
    CalendarFile,
    ClockTime,
    CorsOrigin,
    Day,
    Duration,
    File,
    Folder,
    Hold,
    HourLines,
    Listen,
    MqttUrl,
    Name,
    Names,
    Network,
    NotifyUrl,
    NotifyUrlFile,
    PublicHost,
    SecretFile,
    Section,
    Text,
    TileUrl,
    Timezone,
    TokensFile,
    Topic,
    WebUrl,
    read_secret,
    split_listen,
)
from patrol.config.tables import NAMED_TABLES
from patrol.tls import context_of
from words.catalogue import Language

MOST_CONNECTIONS = 800
"""paho-mqtt waits by select(), which fails when its descriptor is not below 1,024."""


class District(Section):
    """The district that is patrolled."""

    name: Text
    timezone: Timezone = "Asia/Shanghai"
    zones: File = Field(default=Path("zones.geojson"), validate_default=True)
    exclusions: File | None = None
    cell_m: float = Field(default=100, ge=20, le=1_000)
    overlap_m: float = Field(default=2, ge=0, le=100)

    @property
    def tz(self) -> ZoneInfo:
        """Where days begin."""
        return ZoneInfo(self.timezone)


def _check_pair(certificate: Path | None, key: Path | None) -> None:
    """ValueError: there is one without the other, or they do not fit."""
    if (certificate is None) != (key is None):
        raise ValueError("certificate and key go together; name both, or neither")
    if certificate is not None and key is not None:
        context_of(certificate, key)


class Mqtt(Section):
    """The broker that bikes publish to."""

    url: MqttUrl = "mqtt://127.0.0.1:1883"
    protocol: Literal["5", "3.1.1"] = "5"
    username: Text | None = None
    password_file: SecretFile | None = None
    ca_file: File | None = None
    certificate: File | None = None
    key: File | None = None
    client_id: Name = "zhixun"

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def host(self) -> str:
        """Name or address of the broker."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The URL's port, or the one that is usual for its scheme."""
        return urlsplit(self.url).port or (8883 if self.tls else 1883)

    @model_validator(mode="after")
    def _goes_together(self) -> Mqtt:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs username beside it")
        files = {"ca_file": self.ca_file, "certificate": self.certificate, "key": self.key}
        for name in (name for name, file in files.items() if file is not None and not self.tls):
            raise ValueError(f"{name} is for TLS; write mqtts:// in url, or leave {name} out")
        _check_pair(self.certificate, self.key)
        return self


class Storage(Section):
    """The folder of the log, the alert book, snapshots and the archive."""

    path: Folder = Field(default=Path("data"), validate_default=True)
    coverage_days: int = Field(default=35, ge=1, le=400)


class Influx(Section):
    """A copy of the telemetry for Grafana; the section is left out when there is none."""

    url: WebUrl
    org: str = ""
    bucket: Text
    token_file: SecretFile | None = None


class Http(Section):
    """The address of the console and the API, and who may come in."""

    listen: Listen = "127.0.0.1:8080"
    public_hosts: tuple[PublicHost, ...] = ()
    cors_origins: tuple[CorsOrigin, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    connections: int = Field(default=MOST_CONNECTIONS, ge=10, le=MOST_CONNECTIONS)
    connections_per_address: int = Field(default=600, ge=10, le=MOST_CONNECTIONS)
    session_idle_s: Duration = Field(default=12 * 3_600, alias="session_idle")
    session_max_s: Duration = Field(default=7 * 86_400, alias="session_max")
    tokens_file: TokensFile | None = None
    certificate: File | None = None
    key: File | None = None

    @property
    def pair(self) -> tuple[Path, Path] | None:
        """Certificate and key; None without TLS of its own."""
        return (
            None if self.certificate is None or self.key is None else (self.certificate, self.key)
        )

    @property
    def host(self) -> str:
        """Address to listen on."""
        return split_listen(self.listen)[0]

    @property
    def port(self) -> int:
        """Port to listen on; 0 is any free one."""
        return split_listen(self.listen)[1]

    @model_validator(mode="after")
    def _idle_within_max(self) -> Http:
        if self.session_idle_s > self.session_max_s:
            raise ValueError("session_idle must not be longer than session_max")
        return self

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Http:
        _check_pair(self.certificate, self.key)
        return self


class Console(Section):
    """The web page."""

    language: Language = "zh"
    tile_url: TileUrl | None = None
    tile_datum: Literal["wgs84", "gcj02"] | None = None

    @model_validator(mode="after")
    def _tiles_have_a_datum(self) -> Console:
        if self.tile_url is not None and self.tile_datum is None:
            raise ValueError(
                'tile_url needs tile_datum beside it: "gcj02" for maps made in China, "wgs84" for '
                "OpenStreetMap and most others; a wrong one moves the map by some 450 m"
            )
        return self


class Place(Section):
    """The place of a quantity in a vendor's own JSON; see :class:`bikes.formats.mapped.Source`."""

    path: Text
    unit: Text | None = None
    unknown: tuple[float, ...] = ()
    timezone: Timezone | None = None

    def source(self, local: str | None) -> Source:
        """The place as the reader of payloads takes it, where the time zone is mostly `local`."""
        name = self.timezone or (local if self.unit == TIME_TEXT else None)
        return Source(self.path, self.unit, self.unknown, ZoneInfo(name) if name else None)


Where = Annotated[
    Place, BeforeValidator(lambda said: {"path": said} if isinstance(said, str) else said)
]
"""A :class:`Place`, or its path alone."""


class VendorMapping(Section):
    """The places of all quantities in a vendor's JSON; see :func:`bikes.formats.mapped.mapped`."""

    items: Text | None = None
    timestamp: Where
    lat: Where
    lng: Where
    speed: Where | None = Field(None)
    heading: Where | None = Field(None)
    altitude: Where | None = Field(None)
    horizontal_accuracy: Where | None = Field(None)
    satellites: Where | None = Field(None)
    battery_percent: Where | None = Field(None)
    tipped_over: Where | None = Field(None)
    device_id: Where | None = Field(None)

    @model_validator(mode="after")
    def _fits_together(self) -> VendorMapping:
        self.format()
        return self

    def format(self, local: str | None = None) -> Format:
        """The format of such payloads; `local` is the district's time zone."""
        places = {name: getattr(self, name) for name in get_args(Quantity)}
        return mapped(
            {name: place.source(local) for name, place in places.items() if place is not None},
            self.items,
        )


class Vendor(Section):
    """The messages of one vendor's bikes."""

    format: Literal["mds", "owntracks", "mapped"]
    datum: Literal["wgs84", "gcj02", "bd09"]
    topics: tuple[Topic, ...] = ()
    mapping: VendorMapping | None = None
    bikes: Bikes = "any"
    max_bikes: int = Field(default=10_000, ge=1, le=1_000_000)
    new_bikes_per_hour: int = Field(default=5_000, ge=1)
    messages_per_hour: int | None = Field(default=None, ge=1)
    bytes_per_hour: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _goes_together(self) -> Vendor:
        if self.format == "mapped" and self.mapping is None:
            raise ValueError('format = "mapped" needs mapping: where everything is in the JSON')
        if self.format != "mapped" and self.mapping is not None:
            raise ValueError('mapping belongs to format = "mapped"; leave it out')
        names_bikes = self.format == "mds" or (self.mapping and self.mapping.device_id)
        fleets = [topic for topic in self.topics if TopicPattern(topic).fleet]
        if fleets and not names_bikes:
            raise ValueError(
                f'the topic "{fleets[0]}" has no {{bike}}, and nothing in the payload says which '
                'bike it is; with format = "mapped", device_id can'
            )
        return self

    def reader(self, local: str) -> Format:
        """The format of this vendor's telemetry; `local` is the district's time zone."""
        return FORMATS[self.format] if self.mapping is None else self.mapping.format(local)


def _apart(vendors: dict[str, Vendor]) -> dict[str, Vendor]:
    """Refuse topics of two vendors, or of a fleet and a bike: nobody could tell whose they are."""
    topics = [(name, TopicPattern(each)) for name, of in vendors.items() for each in of.topics]
    for (name, topic), (other, too) in combinations(topics, 2):
        apart = name != other or (topic.fleet != too.fleet)
        if apart and topic.meets(too):
            raise ValueError(
                f'a message can be of the topic "{topic.pattern}" of {name} and of '
                f'"{too.pattern}" of {other}; nobody could tell whose bike it is'
            )
    return vendors


Vendors = Annotated[dict[Name, Vendor], AfterValidator(_apart)]


class Quality(Section):
    """Which fixes give coverage."""

    max_accuracy_m: float = Field(default=50, gt=0, le=10_000)
    max_speed_mps: float = Field(default=12.5, gt=0, le=1_000)
    max_gap_s: float = Field(default=120, gt=0, le=86_400)
    max_gap_m: float = Field(default=500, gt=0, le=100_000)
    max_future_s: float = Field(default=300, ge=0, le=30 * 86_400)
    max_age_s: Duration = Field(default=30 * 86_400, alias="max_age")
    parked_radius_m: float = Field(default=15, gt=0, le=10_000)
    parked_after_s: float = Field(default=120, gt=0, le=86_400)
    reorder_s: float = Field(default=30, ge=0, le=86_400)
    duty_hours: HourLines = ()


class _PolicyKeys(Section):
    """Values of a policy as :mod:`alerts.policy` reads them."""

    look_back_s: Duration | None = Field(default=None, alias="look_back")
    exceptions: CalendarFile | None = None

    def as_written(self) -> dict[str, object]:
        """The keys that are set, under the names that they have in the file."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Policy(_PolicyKeys):
    """The policy of a zone."""

    frequency_s: Duration = Field(alias="frequency")
    target: float = Field(gt=0, le=1)
    window: WindowKind
    min_cells: int = Field(default=5, ge=1, le=1_000_000)
    min_cell_m: float = Field(default=20, ge=0, le=10_000)
    hours: HourLines = (ALWAYS,)
    auto_close: bool = True
    close_hold_s: Hold = Field(default=60, alias="close_hold")
    paused: str = ""


class PolicyPart(_PolicyKeys):
    """A part of a policy; a key that is not given keeps the policy's own."""

    frequency_s: Duration | None = Field(default=None, alias="frequency")
    target: float | None = Field(default=None, gt=0, le=1)
    window: WindowKind | None = None
    min_cells: int | None = Field(default=None, ge=1, le=1_000_000)
    min_cell_m: float | None = Field(default=None, ge=0, le=10_000)
    hours: HourLines | None = None
    auto_close: bool | None = None
    close_hold_s: Hold | None = Field(default=None, alias="close_hold")
    paused: str | None = None

    def over(self, policy: Policy) -> Policy:
        """The policy with the keys that are given here in place of its own."""
        return policy.model_copy(update={key: getattr(self, key) for key in self.model_fields_set})


class Campaign(PolicyPart):
    """A part of some zones' policy between two dates."""

    zones: Names = Field(min_length=1)
    from_: Day = Field(alias="from")
    to: Day

    @model_validator(mode="after")
    def _in_order(self) -> Campaign:
        # A date without an offset moves with its zone, but the order of two hardly does.
        keys = {"zones": self.zones, "from": self.from_, "to": self.to}
        try:
            parse_campaign("", keys, ZoneInfo("UTC"))
        except PolicyError as exc:
            wrong = exc.problems[0]
            key = wrong.where.rpartition(".")[2]
            said = f"{key} ({keys[key]}) {wrong.message}"
            raise ValueError(said.replace("after from", f"later than from ({self.from_})")) from exc
        return self


class RuleSettings(Section):
    """Rules that raise nothing, and the limits of the others: one key for each of theirs."""

    off: tuple[str, ...] = ()

    @property
    def limits(self) -> dict[str, float]:
        """The limits of all rules, by name."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "off"}


def one_of(rules: Registry) -> Any:
    """The type of a rule's name."""
    return Literal[tuple(rules)]


def rules_section(rules: Registry) -> type[RuleSettings]:
    """The section ``[rules]`` of a registry."""
    fields: dict[str, Any] = {"off": (tuple[one_of(rules), ...], ())}  # type: ignore[misc]
    for limit in rules.settings:
        kind = Duration if limit.is_duration else type(limit.default)
        alias = limit.key if limit.is_duration else None
        bounds: dict[str, Any] = dict(limit.bounds)
        fields[limit.name] = (kind, Field(default=limit.default, alias=alias, **bounds))
    return create_model("Rules", __base__=RuleSettings, **fields)


if TYPE_CHECKING:
    Rules = RuleSettings
    RuleName = str
else:
    Rules = rules_section(RULES)
    RuleName = one_of(RULES)


class Notify(Section):
    """A recipient of alerts; an empty list means all, but for bulletins."""

    url: NotifyUrl | None = None
    url_file: NotifyUrlFile | None = None
    severities: tuple[Severity, ...] = ()
    rules: tuple[RuleName, ...] = ()
    zones: Names = ()
    language: Language = "zh"
    escalate_after_s: Duration | None = Field(default=None, alias="escalate_after")
    bulletins: tuple[Kind, ...] = KINDS
    bulletins_at: ClockTime = "08:30"

    @model_validator(mode="after")
    def _has_a_url(self) -> Notify:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("needs either url, or url_file: a file with the URL on its first line")
        return self

    @property
    def address(self) -> Secret:
        """The URL; OSError, UnicodeDecodeError when its file cannot be read."""
        return self.url or read_secret(self.url_file)  # type: ignore[arg-type]

    @property
    def bulletins_at_min(self) -> int:
        """Minute of the day of `bulletins_at`."""
        hour, _, minute = self.bulletins_at.partition(":")
        return int(hour) * 60 + int(minute)


class Settings(Section):
    """Everything that is configured, by section; see docs/configuration.md."""

    district: District
    mqtt: Mqtt = Mqtt()
    storage: Storage = Field(default_factory=Storage)
    influx: Influx | None = None
    http: Http = Http()
    console: Console = Console()
    quality: Quality = Quality()
    vendors: Vendors = Field(min_length=1)
    policies: dict[Name, Policy] = Field(min_length=1)
    campaigns: dict[Name, Campaign] = Field(default={})
    rules: Rules = Rules()
    notify: dict[Name, Notify] = Field(default={})


def keys_of(table: Sequence[str], model: type[Section] = Settings) -> dict[str, FieldInfo]:
    """The keys that a table may have, by their names in the file; none when there is no such table.

    The path of the table is empty for the sections themselves, or a section, with or without the
    name of one of its tables, and what is in that.
    """
    fields = dict(model.model_fields)
    named = bool(table) and table[0] in NAMED_TABLES
    for part in (*table[:1], *table[2 if named else 1 :]):
        section = _section_in(fields[part].annotation) if part in fields else None
        if section is None:
            return {}
        fields = {inner.alias or name: inner for name, inner in section.model_fields.items()}
    return fields


def _section_in(kind: object) -> type[Section] | None:
    """The table that a value of this type is, or holds, if any."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return kind
    return next(filter(None, map(_section_in, get_args(kind))), None)
