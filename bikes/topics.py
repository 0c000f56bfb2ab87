"""The MQTT topics of the contract, and patterns for vendors who have their own.

patrol/v1/{vendor}/{bike}/telemetry | event | status     from vendors
patrol/v1/{vendor}/{bike}/rejected                       to them
patrol/v1/coverage/{zone}, patrol/v1/alerts/{zone}/{rule}
patrol/v1/canary/{client id}                             from the station to itself
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

PREFIX = "patrol/v1"

CANARIES = f"{PREFIX}/canary/"

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of vendors, zones and rules; use it with ``fullmatch``."""

BIKE_FORM = "1 to 64 letters (Unicode NFC), digits and : . _ -"
"""What :func:`is_bike` wants, in words."""

NOBODY = "unknown"
"""Stands for the bike on ``rejected`` when none is named."""

_BIKE_ID = re.compile(r"(?!\.{1,2}\Z)[\w:.-]{1,64}")  # a URL cannot hold . and ..

Kind = Literal["telemetry", "event", "status"]
"""The kinds of topics that vendors publish to."""

KINDS: tuple[Kind, ...] = get_args(Kind)

INBOUND_FILTERS: tuple[str, ...] = tuple(f"{PREFIX}/+/+/{kind}" for kind in KINDS)
"""MQTT filters of everything that vendors send by the contract."""

_INBOUND = re.compile(rf"{re.escape(PREFIX)}/({NAME.pattern})/([^/]+)/({'|'.join(KINDS)})")
SHARED = re.compile(r"\A(?:\$share/[^/+#{}]+/|\$queue/|\$exclusive/)")
"""Begins a filter that several clients share, or one alone has; messages come without it."""

_BIKE = "{bike}"
_MAX_BYTES = 65_535


class Topic(NamedTuple):
    """An inbound topic, taken apart."""

    vendor: str
    bike_id: str
    kind: Kind


def parse(topic: str) -> Topic | None:
    """Take an inbound topic of the contract apart; None when it is not one.

    Topics that the system itself publishes, and names with characters or lengths that the
    contract does not allow, are not inbound topics.
    """
    match = _INBOUND.fullmatch(topic)
    if match is None or not is_bike(match[2]):
        return None
    vendor, bike_id, kind = match.groups()
    return Topic(vendor, bike_id, kind)  # type: ignore[arg-type]  # the expression lists KINDS


def is_bike(text: str) -> bool:
    """Whether a text can be a bike's id: :data:`BIKE_FORM`, of any script, in Unicode's form NFC.

    Two ids that look the same are thus one, and each is kept as the vendor spells it.
    """
    return bool(_BIKE_ID.fullmatch(text)) and unicodedata.is_normalized("NFC", text)


def is_level(text: str) -> bool:
    """Whether a text can be a level of a topic that is published to."""
    return 0 < len(text) <= 256 and text.isprintable() and not set(text) & set("/+#")


def of_bike(kind: Kind, vendor: str, bike_id: str) -> str:
    """The topic of a bike; ValueError for a name that the contract does not allow."""
    if not is_bike(bike_id):
        raise ValueError(f"{bike_id!r} cannot be a bike's id: use {BIKE_FORM}")
    return f"{PREFIX}/{_name(vendor)}/{bike_id}/{kind}"


def rejected(vendor: str, bike_id: str) -> str | None:
    """The topic on which a vendor learns what was not accepted; None when nobody would hear it.

    The names are as they came, whether known and allowed or not.
    """
    bike_id = bike_id if is_level(bike_id) else NOBODY
    return f"{PREFIX}/{vendor}/{bike_id}/rejected" if is_level(vendor) else None


def coverage(zone_id: str) -> str:
    """Topic of a zone's coverage; ValueError as of :func:`of_bike`."""
    return f"{PREFIX}/coverage/{_name(zone_id)}"


def alert(zone_id: str, rule: str) -> str:
    """Topic of the last transition of a zone's alert; ValueError as of :func:`of_bike`."""
    return f"{PREFIX}/alerts/{_name(zone_id)}/{_name(rule)}"


def canary(client_id: str) -> str:
    """Topic of a station's own messages; ValueError as of :func:`of_bike`."""
    return f"{CANARIES}{_name(client_id)}"


def _name(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot be part of a topic: use 1 to 64 of A-Z a-z 0-9 _ -")
    return name


def _alike(one: str, other: str) -> bool:
    """Whether two levels of patterns can be the same text."""
    (before, bike, after), (before2, bike2, after2) = one.partition(_BIKE), other.partition(_BIKE)
    if bike and bike2:
        starts = before.startswith(before2) or before2.startswith(before)
        return starts and (after.endswith(after2) or after2.endswith(after))
    if bike2:
        return _alike(other, one)
    fits = other.startswith(before) and other.endswith(after)
    return (fits and len(other) > len(before + after)) if bike else one == other


@dataclass(frozen=True)
class TopicPattern:
    """A vendor's own telemetry topic, such as ``owntracks/hello/{bike}``.

    ``{bike}`` stands for the bike's id and is there once; it may be part of a level
    (``fleet/bike-{bike}/gps``). The rest is literal. Without ``{bike}`` it is the topic of a
    fleet, on which each item names its bike. It may begin as a shared subscription does
    (``$share/group/``).

    ValueError: the pattern is not one, with what to change.
    """

    pattern: str  # as it is written in the configuration

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ValueError(f"topic pattern {self.pattern!r}: {problem}")

    @property
    def topic(self) -> str:
        """The pattern of the topics themselves, on which a shared subscription's messages come."""
        return SHARED.sub("", self.pattern, count=1)

    @property
    def fleet(self) -> bool:
        """Whether it is the topic of many bikes."""
        return _BIKE not in self.pattern

    @property
    def filter(self) -> str:
        """The MQTT filter to subscribe to; it may match more than the pattern does."""
        return "/".join("+" if _BIKE in level else level for level in self.pattern.split("/"))

    def of(self, bike_id: str) -> str:
        """The topic of a bike."""
        return self.topic.replace(_BIKE, bike_id)

    def bike_id(self, topic: str) -> str | None:
        """The id, valid or not, of the bike of `topic`; None when the pattern does not match.

        It is "" on the topic of a fleet.
        """
        before, bike, after = self.topic.partition(_BIKE)
        inside = topic[len(before) : len(topic) - len(after)]
        named = inside and "/" not in inside if bike else not inside
        return inside if named and topic == f"{before}{inside}{after}" else None

    def covers(self, topic: str) -> bool:
        """Whether the broker delivers `topic` because of `filter`, bike id valid or not."""
        levels, wanted = topic.split("/"), self.topic.split("/")
        return len(levels) == len(wanted) and all(
            _BIKE in want or want == level for level, want in zip(levels, wanted, strict=True)
        )

    def meets(self, other: TopicPattern) -> bool:
        """Whether some topic is of both patterns, so that nobody could tell whose it is."""
        own, others = self.topic.split("/"), other.topic.split("/")
        return len(own) == len(others) and all(map(_alike, own, others))

    def _problem(self) -> str | None:
        rest = self.topic.replace(_BIKE, "", 1)
        if self.topic.startswith(("$share/", "$queue/", "$exclusive/")):
            return "a shared subscription is written $share/group/topic"
        if not self.topic:
            return "it is empty; write for example fleet/{bike}/gps"
        if _BIKE in rest:
            return "{bike} is there more than once"
        if "{" in rest or "}" in rest:
            return "{bike} is the only placeholder"
        if "+" in rest or "#" in rest:
            return "wildcards are not allowed; only the bike's id may vary"
        if "\0" in rest or len(self.pattern.encode()) > _MAX_BYTES:
            return "MQTT does not allow this topic"
        if self.topic.startswith(f"{PREFIX}/"):
            return f"topics under {PREFIX}/ are the contract's and need no pattern"
        return None
