"""The application as a whole: errors, loopback, health, rejects, OpenAPI."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboards.api.loopback import is_loopback, refusal
from dashboards.app import create_app
from dashboards.sources import Health, Part
from ingest.accounts import Account
from ingest.mqtt.publisher import PublisherState
from tests.dashboards.conftest import ORIGIN, Api
from tests.dashboards.district import District

ROUTES = {
    "/zones", "/zones/{zone_id}", "/zones/{zone_id}/versions", "/policies",
    "/coverage", "/coverage/{zone_id}", "/cells", "/cells.png", "/bikes",
    "/bikes/{bike_id}", "/bikes/{bike_id}/track", "/alerts", "/alerts/{alert_id}",
    "/alerts/{alert_id}/acknowledge", "/alerts/{alert_id}/assign", "/alerts/{alert_id}/shelve",
    "/alerts/{alert_id}/unshelve", "/alerts/{alert_id}/note", "/alerts/{alert_id}/close",
    "/alerts/{alert_id}/undo",
    "/zones/import",
    "/campaigns", "/campaigns/{name}/end", "/zones/{zone_id}/pause", "/zones/{zone_id}/resume",
    "/zones/{zone_id}/policy", "/coverage/trend", "/coverage/{zone_id}/days", "/bikes/days",
    "/bikes/{bike_id}/day", "/bikes/{bike_id}/path", "/tracks", "/rejects", "/stream",
    "/vendors", "/vendors/{vendor}/bikes", "/vendors/{vendor}/bikes/{bike_id}",
    "/vendors/{vendor}/listen",
    "/healthz", "/readyz", "/metrics",
}  # fmt: skip


def test_openapi_describes_every_route(api: Api) -> None:
    """The document is where the contract says, and lists the contract's routes."""
    document = api.get("/api/v1/openapi.json").json()
    assert set(document["paths"]) == ROUTES
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["description"]


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/", "/nothing"])
def test_a_wrong_path_is_a_problem(api: Api, path: str) -> None:
    """404 problem+json at every level."""
    answer = api.get(path)
    assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_route")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_a_problem(api: Api) -> None:
    """405 that says which methods there are."""
    answer = api.post("/api/v1/zones", {})
    assert (answer.status_code, answer.json()["reason"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=999999999"])
def test_a_wrong_parameter_is_a_problem(api: Api, query: str) -> None:
    """422 problem+json that names it."""
    answer = api.get(f"/api/v1/bikes?{query}")
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["where"] == "query.limit"


def test_a_crash_is_a_problem_without_internals(district: District) -> None:
    """500 problem+json that tells a stranger nothing but where to look."""

    def broken() -> Health:
        raise RuntimeError("secret")

    app = create_app(replace(district.sources(), health=broken))
    answer = Api(app).get("/api/v1/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (500, "internal_error")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1:8080", True),
        ("127.8.8.8", True),
        ("localhost:8080", True),
        ("console.localhost", True),
        ("[::1]:8080", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("192.168.1.5:8080", False),
        ("127.0.0.1.evil.example", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_only_names_of_this_machine_are_loopback(host: str, loopback: bool) -> None:
    """A name that merely resolves to this machine is not one of them."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("method", "origin", "site", "refused"),
    [
        ("GET", "http://evil.example", None, None),
        ("POST", None, None, None),
        ("POST", "http://127.0.0.1:8080", "same-origin", None),
        ("POST", "http://evil.example", None, "cross_origin"),
        ("POST", "http://127.0.0.1:9090", None, "cross_origin"),
        ("POST", "null", None, "cross_origin"),
        ("POST", "http://[", None, "cross_origin"),
        ("POST", None, "cross-site", "cross_origin"),
    ],
)
def test_a_page_of_another_origin_may_change_nothing(
    method: str, origin: str | None, site: str | None, refused: str | None
) -> None:
    """Programs send no Origin and may."""
    assert refusal(method, "127.0.0.1:8080", origin, site) == refused


def test_refusals_are_problems(api: Api, district: District) -> None:
    """403 with the named reason, before anything is done."""
    alert_id = district.raise_alert("cy-08")
    rebound = api.get("/healthz", headers={"Host": "evil.example"})
    assert (rebound.status_code, rebound.json()["reason"]) == (403, "host_not_loopback")
    path = f"/api/v1/alerts/{alert_id}/acknowledge"
    forged = api.post(path, {}, headers={"Origin": "http://evil.example"})
    assert (forged.status_code, forged.json()["reason"]) == (403, "cross_origin")
    assert district.book.get(alert_id).state == "active"
    assert api.post(path, {}, headers={"Origin": ORIGIN}).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_health_is_at_the_root_too(api: Api, district: District, prefix: str) -> None:
    """Alive whatever happens; ready only when every part is."""
    assert api.get(f"{prefix}/healthz").json() == {"alive": True}
    assert api.get(f"{prefix}/readyz").json()["ready"] is True
    waiting = Part("inlet", ok=False, reason="connection refused; next try in 4 s")
    district.health = Health([waiting, Part("log", ok=True)])
    answer = api.get(f"{prefix}/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "parts": [
            {
                "name": "inlet",
                "ok": False,
                "reason": "connection refused; next try in 4 s",
                "required": True,
            },
            {"name": "log", "ok": True, "reason": "", "required": True},
        ],
    }
    assert api.get(f"{prefix}/healthz").status_code == 200


def test_deeply_nested_bodies_are_refused(api: Api) -> None:
    """However deep, on every route that reads a body: the request is wrong, and nothing else."""
    routes = [
        (method.upper(), path.replace("{zone_id}", "cy-01"))
        for path, methods in api.get("/api/v1/openapi.json").json()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    ]
    bodies = [b"[" * 100_000, b'{"a":' * 50_000, b'{"features":' + b"[" * 50_000]
    headers = {"Content-Type": "application/json"}
    statuses = {
        api.ask(method, f"/api/v1{path}", content=body, headers=headers).status_code
        for method, path in routes
        for body in bodies
    }
    assert len(routes) > 10
    assert statuses == {400}


def test_a_copy_that_catches_up_is_not_waited_for(api: Api, district: District) -> None:
    """A part that is not required is shown, and the system is ready without it."""
    away = Part("influx", ok=False, reason="cannot be reached", required=False)
    district.health = Health([Part("inlet", ok=True), away])
    answer = api.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert answer.json()["parts"][1]["reason"] == "cannot be reached"


def test_metrics_are_prometheus(api: Api, district: District) -> None:
    """Counters by reason, the lag, the log, the bikes and the zones."""
    district.health = Health(
        [Part("inlet", ok=True)],
        received=10, stored=8, rejected=2, lag_s=0.5, evaluated_ms=1_795_399_200_000,
        log_depth={"coverage": 3}, log_head=45,
        outgoing=PublisherState(queued=4, outcomes={"dropped": 1}),
    )  # fmt: skip
    district.accounts = {"hello": Account(received=10, rejected=2, duplicate=2)}
    district.seq = 42
    district.reject()
    district.rejects.add([], {}, {("hello", "speed"): 7})
    district.ride(0, 36.305, 120.37)
    district.stand("cy-08", "overdue")
    answer = api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    for line in (
        "zhixun_received_total 10.0",
        "zhixun_stored_total 8.0",
        'zhixun_rejected_total{reason="not_json",vendor="hello"} 1.0',
        'zhixun_notes_total{field="speed",vendor="hello"} 7.0',
        "zhixun_lag_seconds 0.5",
        'zhixun_items_stored_total{vendor="hello"} 6.0',
        'zhixun_items_duplicate_total{vendor="hello"} 2.0',
        "zhixun_messages_in_flight 3.0",
        "zhixun_evaluated_timestamp_seconds 1.7953992e+09",
        'zhixun_log_depth{reader="coverage"} 3.0',
        "zhixun_outgoing_queued 4.0",
        'zhixun_outgoing_total{outcome="dropped"} 1.0',
        'zhixun_part_ready{part="inlet"} 1.0',
        'zhixun_bikes{liveness="live"} 1.0',
        'zhixun_zone_state{state="overdue",zone_id="cy-08"} 1.0',
        'zhixun_zone_state{state="compliant",zone_id="cy-08"} 0.0',
    ):
        assert line in lines


def test_rejects_are_counted_and_listed_newest_first(api: Api, district: District) -> None:
    """Paged by their number, so that new ones do not shift a page; payloads are text."""
    for n in range(5):
        district.reject(f"bike-{n:02}", payload="<script>alert(1)</script>")
    page = api.get("/api/v1/rejects?limit=2").json()
    assert page["counts"] == {"hello": {"not_json": 5}}
    assert [r["bike_id"] for r in page["rejects"]] == ["bike-04", "bike-03"]
    assert page["rejects"][0]["payload"] == "<script>alert(1)</script>"
    district.reject("bike-05")
    following = api.get(f"/api/v1/rejects?limit=2&cursor={page['next_cursor']}").json()
    assert [r["bike_id"] for r in following["rejects"]] == ["bike-02", "bike-01"]
    assert api.get("/api/v1/rejects?reason=schema").json()["rejects"] == []
    assert len(api.get("/api/v1/rejects?vendor=hello&reason=not_json").json()["rejects"]) == 6


def test_a_body_has_one_length(api: Api) -> None:
    """Or a proxy in front could see another end of it than this server does."""
    both = {"Transfer-Encoding": "chunked", "Content-Length": "4"}
    answer = api.ask("POST", "/api/v1/alerts/x/note", content=b"0\r\n\r\n", headers=both)
    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed_request")
    assert answer.headers["connection"] == "close"
