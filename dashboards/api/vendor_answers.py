"""Shapes of the answers about vendors; as of ``answers.py``."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from dashboards.api.answers import Time

State = Literal["waiting", "refused", "sending"]


class LastRefusal(TypedDict):
    """A message that was not accepted, to show: control characters of its payload are written out.

    `payload` has at most the first 512 of `payload_bytes`; null for viewers.
    """

    at: Time
    topic: str
    bike_id: str
    detail: str
    payload: str | None
    payload_bytes: int


class Refusals(TypedDict):
    """Items that were refused for a reason since the start, and the last one that is kept."""

    reason: str
    items: int
    last: LastRefusal | None


class UnknownBikeSeen(TypedDict):
    """A bike that is on no list; one with `acceptable` can be put on it."""

    bike_id: str
    items: int
    last: Time
    acceptable: bool


class BikeClock(TypedDict):
    """How long after its own time the newest fix of a bike came in [s]; negative: it is ahead."""

    bike_id: str
    offset_s: float


class FirstMessage(TypedDict):
    """What a vendor that was never heard may send, and the command that does."""

    topic: str
    payload: str
    command: str


class Vendor(TypedDict):
    """What comes from a vendor.

    `state` is `waiting` while nothing has come, `refused` while all was refused, then `sending`;
    until then `first_message` is one that is accepted. `rate_per_s` is the mean of five minutes,
    `delay_s` the median of its bikes from the time of a fix to its arrival. `clocks` are the bikes
    that differ most from it. `accepted` were put on the list here.
    """

    vendor: str
    state: State
    format: str
    datum: str
    topics: list[str]
    listed: bool
    bikes: int
    received: int
    stored: int
    rejected: int
    duplicates: int
    rate_per_s: float
    delay_s: float | None
    clocks: list[BikeClock]
    refusals: list[Refusals]
    notes: dict[str, int]
    unknown_bikes: list[UnknownBikeSeen]
    accepted: list[str]
    first_message: NotRequired[FirstMessage]


class Vendors(TypedDict):
    """All vendors of the configuration, by name; `broker` is why none can be heard, or empty."""

    at: Time
    broker: str
    vendors: list[Vendor]


class StrayTopic(TypedDict):
    """A topic below a vendor's prefix that nobody reads."""

    topic: str
    messages: int
    payload: str
    payload_bytes: int


class StrayTopics(TypedDict):
    """What was heard below the prefixes of a vendor within `listened_s` [s]."""

    prefixes: list[str]
    listened_s: float
    topics: list[StrayTopic]
