"""What InfluxDB's answers mean, and what it is sent."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.secret import Secret
from ingest.errors import (
    IngestError,
    RequestTooLarge,
    StoreRejected,
    StoreThrottled,
    StoreUnavailable,
)
from ingest.influx.store import (
    LONGEST_PAUSE_S,
    InfluxOptions,
    InfluxStore,
    StoreUnreachable,
    error_of,
    retry_after_s,
)
from tests.influx_servers import VictoriaMetrics
from tests.ingest.influx.test_delivery import Picky
from tests.ingest.influx.test_line_protocol import Point
from tests.ingest.influx.test_writer import Memory
from tests.servers import Answer, Request, answering, free_port

LINES = b"m x=1i 5\nm x=2i 6\n"
NOW_S = 1_763_856_000.0


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (429, "", StoreThrottled, "asks for a pause (429)"),
        (503, "", StoreUnreachable, "has a fault (503)"),
        (500, '{"message":"disk"}', StoreUnreachable, "has a fault (500: disk)"),
        (502, "<html>bad gateway</html>", StoreUnreachable, "502: <html>bad"),
        (400, '{"code":"invalid","message":"bad  line"}', StoreRejected, "400: bad line"),
        (422, '{"error":"too old"}', StoreRejected, "422: too old"),
        (
            400,
            '{"error":"partial write","data":[{"error_message":"no field","line_number":2}]}',
            StoreRejected,
            "400: partial write: no field (line 2)",
        ),
        (400, '{"error":"parsing","data":{"error_message":"no field"}}', StoreRejected, "no field"),
        (400, '{"error":"bad","data":["?"]}', StoreRejected, "(400: bad)"),
        (413, "", RequestTooLarge, "does not take 18 bytes at once"),
        (401, '{"message":"unauthorized"}', StoreUnavailable, "token_file of [influx]"),
        (403, "", StoreUnavailable, "token_file of [influx]"),
        (404, '{"message":"bucket \\"x\\" not found"}', StoreUnavailable, 'bucket "x" not found'),
        (405, "", StoreUnavailable, "url, org and bucket of [influx]"),
        (302, "", StoreUnavailable, "url, org and bucket of [influx]"),
        (400, 'unsupported path requested: "/x"', StoreUnavailable, "url, org and bucket"),
    ],
)
def test_answers(status: int, body: str, kind: type[IngestError], says: str) -> None:
    """Each says whose fault it is, and so what to do."""
    error = error_of(status, body, {}, lines=LINES, now_s=NOW_S)
    assert type(error) is kind
    assert says in str(error)


def test_a_store_that_names_its_pause_is_left_alone_for_it() -> None:
    """503 with Retry-After is a request, without it a fault."""
    error = error_of(503, "", {"Retry-After": "7"}, lines=LINES, now_s=NOW_S)
    assert isinstance(error, StoreThrottled)
    assert error.retry_after_s == 7


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("0", 0),
        ("-5", 0),
        ("1.5", 1.5),
        ("Sun, 23 Nov 2025 00:00:30 GMT", 30),
        ("Sun, 23 Nov 2025 00:00:00 GMT", 0),
        ("Sat, 22 Nov 2025 00:00:00 GMT", 0),
        ("Sun, 23 Nov 2098 00:00:30 GMT", LONGEST_PAUSE_S),
        ("86400000", LONGEST_PAUSE_S),
        ("inf", LONGEST_PAUSE_S),
    ],
)
def test_retry_after(header: str | None, wait_s: float | None) -> None:
    """Seconds or a date; what makes no sense is no reason to wait for ever."""
    assert retry_after_s(header, NOW_S) == wait_s


@given(st.text(), st.text())
def test_any_answer_is_understood(body: str, header: str) -> None:
    """Whatever a server or something in between says is no reason to fall over."""
    for status in (301, 400, 418, 429, 503, 599):
        error = error_of(status, body, {"Retry-After": header}, lines=LINES, now_s=NOW_S)
        assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("said", "indices"),
    [
        ("partial write: points beyond retention policy dropped=2", range(2)),
        ("partial write: points beyond retention policy dropped=1", None),
        ("field type conflict", None),
    ],
)
def test_a_store_that_drops_everything_says_which_lines(said: str, indices: range | None) -> None:
    """InfluxDB counts what it drops; when that is all, nothing has to be searched."""
    error = error_of(400, f'{{"error":"{said}"}}', {}, lines=LINES, now_s=NOW_S)
    assert isinstance(error, StoreRejected)
    assert error.indices == indices


@contextmanager
def server(
    status: int = 204, *, close: bool = False, token: str | None = None
) -> Iterator[tuple[str, list[object]]]:
    """A server that keeps what it is sent."""
    seen: list[object] = []

    def answer(asked: Request) -> Answer:
        seen.append((asked.path, dict(asked.headers), asked.body))
        refused = token is not None and asked.headers["Authorization"] != f"Token {token}"
        return Answer(401 if refused else status, headers={"Connection": "close"} if close else {})

    with answering(answer) as url:
        yield url, seen


def test_what_is_sent() -> None:
    """Milliseconds stated, compressed, with the token; the path of the URL stays."""
    with server() as (url, seen):
        store = InfluxStore(
            InfluxOptions(f"{url}/insert/0/influx/", "org", "bu cket", Secret("secret"))
        )
        store.write(LINES)
        store.close()
    ((path, headers, body),) = seen  # type: ignore[misc]
    assert path == "/insert/0/influx/api/v2/write?org=org&bucket=bu+cket&precision=ms"
    assert headers["Authorization"] == "Token secret"
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == LINES


def test_without_a_token_none_is_sent() -> None:
    """A VictoriaMetrics of one's own asks for none."""
    with server() as (url, seen):
        store = InfluxStore(InfluxOptions(url, "", "patrol"))
        store.write(LINES)
    assert "Authorization" not in seen[0][1]  # type: ignore[index]


def test_a_token_that_was_replaced_is_used() -> None:
    """As when InfluxDB was set up anew: the one that is refused is looked up again."""
    tokens: list[str | Exception] = [FileNotFoundError("just being replaced"), "old", "new"]

    def token_now() -> Secret:
        found = tokens.pop(0)
        if isinstance(found, Exception):
            raise found
        return Secret(found)

    with server(token="new") as (url, seen):
        store = InfluxStore(InfluxOptions(url, "o", "b", Secret("old"), token_now))
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="token_file"):
                store.write(LINES)
        for _ in range(2):
            store.write(LINES)
            assert not store.renewed  # another connection, but not a server that was restarted
        store.close()
    given = [headers["Authorization"] for _, headers, _ in seen]  # type: ignore[misc]
    assert given == ["Token old"] * 3 + ["Token new"] * 2
    assert tokens == []


def test_nobody_listens() -> None:
    """The error says where, in plain words, and never the password."""
    port = free_port()
    store = InfluxStore(InfluxOptions(f"http://127.0.0.1:{port}", "o", "b", Secret("secret")))
    with pytest.raises(StoreUnreachable, match="Connection refused") as caught:
        store.write(LINES)
    assert f"http://127.0.0.1:{port} cannot be reached" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "host=" not in str(caught.value)  # what urllib3 calls its objects
    assert "secret" not in repr(InfluxOptions("http://h", "o", "b", Secret("secret")))


def test_a_restart_between_two_writes_shows(tmp_path: Path) -> None:
    """The connection has to be made again, and that is said once."""
    with VictoriaMetrics(tmp_path) as vm:
        store = InfluxStore(InfluxOptions(vm.url, "o", "b"))
        seen = []
        for restart in (False, False, True, False):
            if restart:
                vm.kill()
                vm.start()
            store.write(LINES)
            seen.append(store.renewed)
    assert seen == [False, False, True, False]


def test_a_server_that_keeps_no_connection_shows_nothing() -> None:
    """A new connection for each request says nothing about restarts."""
    with server(close=True) as (url, _):
        store = InfluxStore(InfluxOptions(url, "o", "b"))
        for _ in range(3):
            store.write(LINES)
            assert not store.renewed


def test_a_connection_that_the_server_says_it_closes_shows_nothing() -> None:
    """As VictoriaMetrics says every two minutes: it was not restarted."""
    asked: list[str] = []

    def answer(request: Request) -> Answer:
        asked.append(request.path)
        return Answer(204, headers={"Connection": "close"} if len(asked) == 2 else {})

    with answering(answer) as url:
        store = InfluxStore(InfluxOptions(url, "o", "b"))
        for _ in range(4):
            store.write(LINES)
            assert not store.renewed


class Given(NamedTuple):
    """A store that fails once with an error, and the lines that it has."""

    write: Callable[[bytes], None]
    has: Callable[[], set[bytes]]


@pytest.fixture(params=["memory", "picky", "influx"])
def throttled(request: pytest.FixtureRequest) -> Iterator[Given]:
    """A store that asks for a pause at the first request; those of tests, and the real one."""
    errors: list[Exception | None] = [StoreThrottled("asks for a pause", 1.0)]
    if request.param == "memory":
        memory = Memory(errors=errors)
        yield Given(memory.write, lambda: set(map(_line, memory.has.values())))
        return
    if request.param == "picky":
        picky = Picky(set(), lambda _: errors.pop() if errors else None)
        yield Given(picky.write, lambda: picky.has)
        return
    kept: set[bytes] = set()

    def answer(asked: Request) -> Answer:
        if errors:
            errors.pop()
            return Answer(429, headers={"Retry-After": "1"})
        kept.update(gzip.decompress(asked.body).splitlines(keepends=True))
        return Answer(204)

    with answering(answer) as url:
        store = InfluxStore(InfluxOptions(url, "o", "b"))
        yield Given(store.write, lambda: kept)
        store.close()


def _line(point: Point) -> bytes:
    """A point of :data:`LINES` as its line."""
    return f"{point.measurement} x={point.fields['x']}i {point.at_ms}\n".encode()


def test_a_store_keeps_what_it_has_taken_and_nothing_else(throttled: Given) -> None:
    """When `write` raises, the lines may be given again; when it returns, the store has them."""
    with pytest.raises(StoreThrottled) as caught:
        throttled.write(LINES)
    assert caught.value.retry_after_s == 1.0
    assert throttled.has() == set()
    throttled.write(LINES)
    throttled.write(LINES)
    assert throttled.has() == set(LINES.splitlines(keepends=True))
