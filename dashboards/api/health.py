"""Routes about the system itself: liveness, readiness, metrics, and messages not accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NotRequired

from fastapi import APIRouter, Query, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.responses import PlainTextResponse, Response
from typing_extensions import TypedDict

from bikes.errors import REJECT_REASONS
from bikes.roster import BikeKey
from dashboards.api import caller, paging
from dashboards.api.answers import Answer, Time
from dashboards.api.lists import Asked
from dashboards.api.problems import SCHEMAS, one_of
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.views import URGENCY, Views
from dashboards.sources import Sources
from geofence.zone_state import ZoneStatus
from ingest.accounts import Accounts


class RejectedItem(TypedDict):
    """One item of an array that was not accepted, and its place there."""

    index: int | None
    reason: str
    detail: str


class RejectedMessage(TypedDict):
    """A message that was not accepted, or not all of it: `count` items of it.

    What is said is of the first of them; `items` are the first few when there are more.
    """

    reason: str
    detail: str
    received_at: Time
    topic: str
    payload: str
    index: int | None
    vendor: str
    bike_id: str
    count: int
    items: list[RejectedItem]


class Rejects(TypedDict):
    """Counts of items since the start, and the last messages, newest first."""

    counts: dict[str, dict[str, int]]
    rejects: list[RejectedMessage]
    next_cursor: NotRequired[str]


class Alive(TypedDict):
    """The process answers."""

    alive: Literal[True]


class PartState(TypedDict):
    """One part of the system."""

    name: str
    ok: bool
    reason: str
    required: bool


class Readiness(TypedDict):
    """Whether every part does its work that is required."""

    ready: bool
    parts: list[PartState]


NOT_READY: dict[str, Any] = {
    "description": "Some part is not ready",
    "content": {"application/json": {"schema": {"$ref": f"{SCHEMAS}Readiness"}}},
}


def add(api: APIRouter, sources: Sources, views: Views) -> None:
    """Add the routes /healthz, /readyz and /metrics."""
    routes = group(api, tags=["health"])
    registry = CollectorRegistry()
    for collector in (Metrics(sources, views), *sources.meters):
        registry.register(collector)

    @routes.get("/healthz", dependencies=[needs("nobody")], response_model=Alive)
    async def get_health() -> Response:
        """Whether the process answers at all."""
        return Answer({"alive": True})

    @routes.get(
        "/readyz",
        dependencies=[needs("nobody")],
        response_model=Readiness,
        responses={503: NOT_READY},
    )
    async def get_readiness(request: Request) -> Response:
        """Whether every part does its work; 503 while one that is required does not.

        Why it does not is told to those who have signed in, or ask from this machine: it may
        name other machines.
        """
        health = sources.health()
        parts = health.parts
        if caller.is_stranger(request):
            parts = [replace(part, reason="") for part in parts]
        content = {"ready": health.ready, "parts": parts}
        return Answer(content, status_code=200 if health.ready else 503)

    @routes.get("/metrics", dependencies=[needs("viewer")], response_class=PlainTextResponse)
    async def get_metrics() -> Response:
        """Counters and gauges for Prometheus, in its text format."""
        text = generate_latest(registry) + _zones(sources.statuses()).encode()
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


class Metrics(Collector):
    """Reads the sources each time Prometheus asks; keeps nothing itself."""

    def __init__(self, sources: Sources, views: Views) -> None:
        self._sources = sources
        self._views = views

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not read the sources."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        view = self._sources.view()  # before the head of the log, which only grows
        health, counts = self._sources.health(), self._sources.rejects.counts
        yield _counter("received", "Items of telemetry that came in", health.received)
        yield _counter("stored", "Items that were accepted and kept", health.stored)
        yield _counter("duplicates", "Accepted fixes that were there already", health.duplicates)
        yield from _accounts(view.accounts)
        yield _counter("messages_received", "Messages that came into the log", health.log_head)
        yield _counter("messages_read", "Messages of the log that coverage has read", view.seq)
        yield GaugeMetricFamily(
            "zhixun_messages_in_flight",
            "Messages of the log that coverage has yet to read",
            value=health.log_head - view.seq,
        )
        text = "Items that were not accepted"
        yield _counters("rejected", text, ["vendor", "reason"], counts.items())
        text = "Values of accepted items that cannot be used and are unknown"
        yield _counters("notes", text, ["vendor", "field"], self._sources.rejects.notes.items())
        verdicts = [((verdict,), count) for verdict, count in health.verdicts.items()]
        yield _counters("fixes", "Accepted fixes by quality verdict", ["verdict"], verdicts)
        yield GaugeMetricFamily(
            "zhixun_lag_seconds", "How far coverage is behind the log", value=health.lag_s
        )
        yield GaugeMetricFamily(
            "zhixun_evaluated_timestamp_seconds",
            "Unix time as of which zones and alerts were last judged",
            value=health.evaluated_ms / 1000,
        )
        unread = sorted(health.log_depth.items())
        yield _gauge("log_depth", "Messages a reader has yet to read", "reader", unread)
        yield GaugeMetricFamily(
            "zhixun_outgoing_queued",
            "Messages of the station's own that wait or are under way",
            value=health.outgoing.queued,
        )
        outcomes = [((outcome,), count) for outcome, count in health.outgoing.outcomes.items()]
        text = "Messages of the station's own by what became of them"
        yield _counters("outgoing", text, ["outcome"], outcomes)
        ready = [(part.name, int(part.ok)) for part in health.parts]
        yield _gauge("part_ready", "1 when the part works", "part", ready)
        alive = self._views.alive().items()
        yield _gauge("bikes", "Bikes by liveness", "liveness", alive)


def _zones(statuses: Mapping[str, ZoneStatus]) -> str:
    """Metrics of zones, in the text format: a thousand zones have nine thousand samples."""
    covered, idle, state = [], [], []
    for zone_id, status in sorted(statuses.items()):
        zone = f'zone_id="{_escaped(zone_id)}"'
        covered.append(f'{{policy="{_escaped(status.policy)}",{zone}}} {status.covered_ratio}')
        if status.idle_s is not None:
            idle.append(f"{{{zone}}} {float(status.idle_s)}")
        state += [f'{{state="{each}",{zone}}} {float(status.state == each)}' for each in URGENCY]
    text = ""
    for name, meaning, samples in (
        ("zone_covered_ratio", "Of the current window", covered),
        ("zone_idle_seconds", "Duty time since the last patrol", idle),
        ("zone_state", "1 for the state the zone is in", state),
    ):
        name = f"zhixun_{name}"
        lines = "".join([f"{name}{sample}\n" for sample in samples])
        text += f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{lines}"
    return text


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _accounts(accounts: Accounts) -> Iterator[Metric]:
    """Items of each vendor, all of one moment: received = stored + rejected + duplicate."""
    for name, text in (
        ("received", "Items of telemetry that were read"),
        ("stored", "Of these, different fixes"),
        ("rejected", "Of these, the rejected ones"),
        ("duplicate", "Of these, fixes that were there already"),
    ):
        counts = [((vendor,), getattr(account, name)) for vendor, account in accounts.items()]
        yield _counters(f"items_{name}", text, ["vendor"], counts)


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(f"zhixun_{name}", text, value=value)


def _counters(
    name: str, text: str, labels: Sequence[str], counts: Iterable[tuple[tuple[str, ...], int]]
) -> Metric:
    family = CounterMetricFamily(f"zhixun_{name}", text, labels=labels)
    for by, count in sorted(counts):
        family.add_metric(by, count)
    return family


def _gauge(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"zhixun_{name}", text, labels=[label])
    for word, value in values:
        family.add_metric([word], value)
    return family


def add_rejects(api: APIRouter, sources: Sources, times: Times) -> None:
    """Add the route /rejects."""
    routes = group(api, needs("viewer"), tags=["rejects"])

    @routes.get("/rejects", response_model=Rejects)
    async def list_rejects(
        request: Request,
        asked: Asked,
        vendor: str | None = None,
        bike_id: str | None = None,
        reason: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        cursor: str | None = None,
    ) -> Response:
        """The last rejected messages, newest first, and counts since the start.

        `payload` is empty for viewers: it may hold anything.
        """
        book = sources.rejects
        # Numbered from the first reject ever, so that new ones do not shift a page.
        rows = [
            (number, reject)
            for number, reject in book.last()
            if vendor in (None, reject.vendor)
            and bike_id in (None, reject.bike_id)
            and reason in (None, reject.reason)
        ]
        if not rows:
            _may_be(sources, vendor, bike_id, reason)
        before = paging.number(cursor)
        page, going_on = paging.page(
            rows, lambda row: -row[0], limit=limit, after=None if before is None else -before
        )
        counts: dict[str, dict[str, int]] = {}
        for (name, why), count in sorted(book.counts.items()):
            counts.setdefault(name, {})[why] = count
        hidden = {} if caller.may_act(request) else {"payload": ""}
        listed = [times.answer(RejectedMessage, reject, **hidden) for _, reject in page]
        found = {"counts": counts, "rejects": listed}
        return asked.answer(
            found, "rejects", RejectedMessage, None if going_on is None else -going_on
        )


def _may_be(sources: Sources, vendor: str | None, bike_id: str | None, reason: str | None) -> None:
    """Refuse a filter by which nothing can be found. ProblemError: 422.

    A message may name any bike and vendor, so those that were refused are right too.
    """
    last, roster = [reject for _, reject in sources.rejects.last()], sources.roster
    one_of("reason", reason, REJECT_REASONS, where="reason")
    vendors = {*roster.vendors, *(reject.vendor for reject in last)}
    one_of("vendor", vendor, sorted(vendors), where="vendor")
    if not any(roster.admits(BikeKey(each, bike_id or "")) for each in roster.vendors):
        bikes = {key.bike_id for key in roster.keys} | {reject.bike_id for reject in last}
        one_of("bike", bike_id, sorted(bikes), where="bike_id")
