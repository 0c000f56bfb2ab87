"""The InfluxDB store: one request, and the meaning of its answer.

| answer | error | what to do |
| --- | --- | --- |
| 2xx | | next |
| 429, or 503 with Retry-After | StoreThrottled | wait for as long as it says |
| 400, 422 | StoreRejected | find the offending lines |
| 413 | RequestTooLarge | send less at once |
| 401, 403, 404, other 4xx, 3xx | StoreUnavailable | keep everything: a setting is wrong |
| other 5xx, no connection, no answer in time | StoreUnreachable | the same, and see below |

A server that crashes may forget what it has acknowledged a moment before: VictoriaMetrics keeps
the newest samples in memory. Nobody tells us, but the connection breaks. So a store says whether
its last request needed a new connection (`renewed`).
"""

from __future__ import annotations

import gzip
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from urllib3.exceptions import HTTPError

from files.secret import Secret, harmless
from ingest.errors import (
    IngestError,
    RequestTooLarge,
    StoreRejected,
    StoreThrottled,
    StoreUnavailable,
)

CONNECT_MS = 5_000
ANSWER_MS = 30_000
"""InfluxDB under load takes seconds for 10,000 lines; giving up makes it do them again."""

GZIP_LEVEL = 1
"""The client's own choice, 9, takes four times as long as level 1 for a quarter less [bytes]."""

LONGEST_PAUSE_S = 300.0
"""A longer Retry-After is taken for a mistake [s]."""

DETAIL_CHARS = 300


@dataclass(frozen=True, slots=True)
class InfluxOptions:
    """Address of InfluxDB, and the token for it."""

    url: str  # up to what precedes ``/api/v2/write``
    # Destination of the lines; a server without organisations ignores `org`.
    org: str
    bucket: str
    token: Secret | None = None  # let in without one when None
    # Asked for the token when the one above was refused: it may have been replaced.
    token_now: Callable[[], Secret | None] | None = None


class StoreUnreachable(StoreUnavailable):
    """Nobody answers, or somebody in its place: the store may have been restarted."""


class InfluxStore:
    """The store behind ``/api/v2/write``: InfluxDB 2.x and 3.x, and VictoriaMetrics.

    It is for one thread at a time. `renewed` says whether the connection had to be made again for
    the last write, unlike before.
    """

    def __init__(self, options: InfluxOptions) -> None:
        self._options = options
        self._where = f"InfluxDB at {options.url}"
        self.renewed = False
        self._open(options.token)

    def _open(self, token: Secret | None) -> None:
        # 20 MB and a quarter of a second, for those only who write to InfluxDB.
        from influxdb_client import InfluxDBClient, WriteService

        self._token, self._refused = token, False
        self._client = InfluxDBClient(
            self._options.url,
            "" if token is None else token.get_secret_value(),
            org=self._options.org,
            timeout=(CONNECT_MS, ANSWER_MS),
        )
        # The service under the client's synchronous WriteApi, because only it lets us choose
        # how hard to compress. It sends what it is given, once, before it returns.
        self._service = WriteService(self._client.api_client)
        self._connects = self._seen_connects = 0
        self._fresh = True
        self._count_connects()

    def _use_token_now(self) -> None:
        """Go on with the token as it is now; with the old one when there is no other."""
        if self._options.token_now is None:
            return
        try:
            token = self._options.token_now()
        except (OSError, ValueError):  # just being replaced
            return
        if token != self._token:
            self.close()
            self._open(token)

    def write(self, lines: bytes) -> None:
        """Write whole lines; when it returns, the store has them.

        StoreThrottled, StoreUnavailable, StoreUnreachable, StoreRejected, RequestTooLarge: as the
        module's table says. Some of the lines may have been written.
        """
        from influxdb_client import WritePrecision
        from influxdb_client.rest import ApiException

        if self._refused:
            self._use_token_now()
        options = self._options
        try:
            self._service.post_write(
                org=options.org,
                bucket=options.bucket,
                body=gzip.compress(lines, GZIP_LEVEL),
                precision=WritePrecision.MS,
                content_encoding="gzip",
                content_type="text/plain; charset=utf-8",
            )
        except ApiException as exc:
            if not exc.status:  # TLS
                raise StoreUnavailable(f"{self._where}: {exc.reason}") from exc
            self._refused = exc.status in (401, 403)
            error = error_of(
                int(exc.status), exc.body or "", exc.headers or {}, lines=lines, now_s=time.time()
            )
            error.args = (f"{self._where} {error.args[0]}",)
            raise error from exc
        except (HTTPError, OSError) as exc:
            self._fresh = True  # the next connection will be another one, and that is known
            raise StoreUnreachable(f"{self._where} cannot be reached: {_plain(exc)}") from exc
        except UnicodeDecodeError as exc:
            raise StoreUnavailable(f"{self._where} answers in no known text: {exc}") from exc
        self._note_connection()

    def _count_connects(self) -> None:
        """Count connections that are made; the pool makes a broken one again without a word."""
        pool = self._client.api_client.rest_client.pool_manager.connection_from_url(
            self._options.url
        )
        store = self

        class Counted(pool.ConnectionCls):  # type: ignore[misc, name-defined]
            def connect(self) -> None:
                store._connects += 1
                super().connect()

        pool.ConnectionCls = Counted

    def _note_connection(self) -> None:
        fresh = self._connects != self._seen_connects
        # A server that keeps no connection at all makes a new one each time: it says nothing.
        self.renewed = fresh and not self._fresh
        self._fresh, last = fresh, self._client.api_client.last_response
        if last.getheader("Connection", "").lower() == "close" and not fresh:
            # As VictoriaMetrics does every two minutes. The next one is made at once, for in
            # between the server could be restarted unseen.
            self._client.ping()
        self._seen_connects = self._connects

    def close(self) -> None:
        """Close connections."""
        self._client.api_client.rest_client.pool_manager.clear()  # close() leaves them open
        self._client.close()


def error_of(
    status: int, body: str, headers: Mapping[str, str], *, lines: bytes, now_s: float
) -> IngestError:
    """The error for an answer that is no success.

    `now_s` is needed for a ``Retry-After`` that is a date [s since the epoch]; the headers are
    case-insensitive, or spell it so.
    """
    said = message_of(body)
    pause_s = retry_after_s(headers.get("Retry-After"), now_s)
    if status == 429 or (status == 503 and pause_s is not None):
        return StoreThrottled(f"asks for a pause ({status}{said})", pause_s)
    if status == 413:
        return RequestTooLarge(f"does not take {len(lines)} bytes at once ({status}{said})")
    if status in (400, 422) and "unsupported path" not in said:  # VictoriaMetrics: the URL is wrong
        return StoreRejected(f"rejects lines ({status}{said})", _all_dropped(said, lines))
    if status in (401, 403):
        return StoreUnavailable(
            f"refuses the token ({status}{said}); see token_file of [influx], "
            "and whether it may write to the bucket"
        )
    if status < 500:
        return StoreUnavailable(
            f"does not take writes there ({status}{said}); see url, org and bucket of [influx]"
        )
    return StoreUnreachable(f"has a fault ({status}{said})")


def retry_after_s(text: str | None, now_s: float) -> float | None:
    """The wait in a ``Retry-After`` header [s], seconds or a date (RFC 9110, 10.2.3); else None.

    It is 0 for a date that is past, and never over :data:`LONGEST_PAUSE_S`.
    """
    if not text:
        return None
    try:
        wait_s = float(text)
    except ValueError:
        try:
            wait_s = parsedate_to_datetime(text).timestamp() - now_s
        except (ValueError, TypeError):
            return None
    if math.isnan(wait_s):
        return None
    return min(max(wait_s, 0.0), LONGEST_PAUSE_S)


def message_of(body: str) -> str:
    """The message of a JSON body, or the beginning of another, after a colon; "" for none."""
    text = body
    try:
        found = json.loads(body)
    except ValueError:
        pass
    else:
        if isinstance(found, dict):
            text = str(found.get("message") or found.get("error") or body)
            text += _detail(found.get("data"))
    text = harmless(" ".join(text.split()))
    if len(text) > DETAIL_CHARS:
        text = f"{text[:DETAIL_CHARS]}…"
    return f": {text}" if text else ""


def _detail(data: object) -> str:
    """The first bad line and its fault, which InfluxDB 3 gives beside its message."""
    first = data[0] if isinstance(data, list) and data else data
    if not isinstance(first, dict) or "error_message" not in first:
        return ""
    return f": {first['error_message']} (line {first.get('line_number', '?')})"


def _all_dropped(said: str, lines: bytes) -> range | None:
    """All lines, when the store says that it has dropped as many as there are."""
    found = re.search(r"partial write: .*\bdropped=(\d+)", said)
    count = lines.count(b"\n")
    return range(count) if found and int(found[1]) == count else None


def _plain(exc: Exception) -> str:
    """An error of the network in its own words, without the objects it names."""
    objects = r"<[^>]*>(?:\([^)]*\))?:? ?|\w+\(host=[^)]*\): "
    return re.sub(objects, "", str(exc)) or type(exc).__name__
