"""Every request passes the gate: who, forged, may, and the record."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dashboards.access.access import Access
from dashboards.access.roles import ROLES, Role, may
from dashboards.api import caller
from dashboards.api.loopback import Hosts
from dashboards.api.routes import API, SAFE, Listed, Routes, listed
from dashboards.app import create_app
from dashboards.console import files
from dashboards.console import pages as console
from dashboards.sources import Health, Part
from tests.dashboards.access.people import DOCUMENTED, ROUTES, STATIC, People
from tests.dashboards.conftest import ORIGIN, Api
from tests.dashboards.district import District

NAMES: dict[Role, str] = {"viewer": "vera", "dispatcher": "deng", "admin": "ada"}


def test_every_route_has_a_role_and_is_documented(people: People) -> None:
    """Who adds a route says there who may use it, and in docs/api.md; and nothing else is there."""
    console.mount(people.app, people.sources)
    found = list(listed(people.app.routes))
    assert [route for route in found if route.role is None] == []
    roles = {
        (route.method, route.path.removeprefix(API).replace(":bike}", "}")): route.role
        for route in found
        if route.path.startswith(f"{API}/")
    }
    assert roles == ROUTES
    assert len(DOCUMENTED) == len(ROUTES)
    paths = people.get("/api/v1/openapi.json").json()["paths"]
    operations = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert operations == set(ROUTES) - {("GET", "/openapi.json")}


def test_what_changes_something_needs_more_than_a_viewer(people: People) -> None:
    """Except for one's own session and password; a router of viewers may gain a route that does."""
    own = {"/api/v1/setup", "/api/v1/session", "/api/v1/me/password"}
    changes = [route for route in listed(people.app.routes) if route.method not in SAFE]
    assert {route.path for route in changes if route.role in ("nobody", "viewer")} == own


def test_a_role_comes_before_the_body(people: People) -> None:
    """Who may not is told so, whatever was sent; who may is told what is wrong with it."""
    path = "/api/v1/campaigns"
    for name, status in (("vera", 403), ("deng", 422)):
        headers = {
            "Cookie": people.cookies[name],
            "X-CSRF-Token": people.csrf[name],
            "Content-Type": "application/json",
        }
        answer = people.ask("POST", path, headers=headers, content=b'{"name": ')
        assert answer.status_code == status, answer.text


def test_a_route_asks_again_for_its_role(people: People) -> None:
    """Should the gate ever take a path for another route's, the route itself still refuses."""
    api = next(each.app for each in people.app.routes if getattr(each, "path", "") == API)
    identity = people.access.session(people.cookies["vera"].partition("=")[2])

    async def let_in(scope: Any, receive: Any, send: Any) -> None:
        caller.remember(scope, identity)
        await api(scope, receive, send)

    behind = Api(let_in)  # type: ignore[arg-type]
    answer = behind.get("/users")
    assert (answer.status_code, answer.json()["reason"]) == (403, "role_too_low")
    assert behind.get("/zones").status_code == 200


def test_the_role_matrix(people: People) -> None:
    """Each route, for nobody and for each role: 401, 403, or whatever the route answers."""
    for (method, route), needs in ROUTES.items():
        if route == "/stream":
            continue  # endless; see below
        path = "/api/v1" + re.sub(r"\{\w+\}", "x", route)
        nobody = people.ask(method, path, json={})
        if needs == "nobody":  # type: ignore[comparison-overlap]
            assert nobody.status_code not in (401, 403) or "credentials" in nobody.text
            continue
        assert (nobody.status_code, nobody.json()["reason"]) == (401, "not_signed_in"), path
        assert nobody.headers["www-authenticate"] == "Bearer"
        assert nobody.headers["content-type"] == "application/problem+json"
        for role in ROLES:
            people.sign_in(NAMES[role])  # anew: some of these routes end the session
            answer = people.by(NAMES[role], method, path, {})
            if may(role, needs):
                assert answer.status_code not in (401, 403), answer.text
            else:
                assert (answer.status_code, answer.json()["reason"]) == (403, "role_too_low"), path


def test_an_unlisted_route_is_nobodys(district: District, access: Access) -> None:
    """A route that somebody forgot to give a role is closed, even to administrators."""
    people = People(district, access)
    people.add("ada", "admin")
    people.sign_in("ada")
    api = next(each.app for each in people.app.routes if getattr(each, "path", "") == "/api/v1")

    @api.get("/forgotten")
    async def forgotten() -> str:
        raise AssertionError("reached")

    assert Listed("GET", "/api/v1/forgotten", None) in listed(people.app.routes)
    assert people.get("/api/v1/forgotten").status_code == 401
    answer = people.by("ada", "GET", "/api/v1/forgotten")
    assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_route")


REQUESTS = [
    ("GET", "/api/v1/zones", "api", "viewer"),
    ("HEAD", "/api/v1/zones", "api", "viewer"),
    ("POST", "/api/v1/zones", "api", "viewer"),  # goes on to 405
    ("POST", "/api/v1/alerts/A1/close", "api", "dispatcher"),
    ("POST", "/api/v1/alerts/A1/x/close", "unlisted", "admin"),
    ("GET", "/api/v1/users/", "unlisted", "admin"),
    ("GET", "/api/v1/../../audit", "unlisted", "admin"),
    ("GET", "/api/v1/audit", "api", "admin"),
    ("GET", "/api/v1", "unlisted", "admin"),
    ("GET", "/api/v11", "page", "viewer"),
    ("GET", "/", "page", "viewer"),
    ("GET", "/login", "page", "nobody"),
    ("GET", files.url("door/door.js"), "page", "nobody"),
    ("GET", "/console/of-another-edition/door/door.js", "page", "nobody"),
    ("GET", "/metrics", "page", "viewer"),
    ("GET", "/healthz", "page", "nobody"),
]
"""Method and path, and what it is for and needs."""


def test_what_a_request_needs(people: People) -> None:
    """A route that is not there is nobody's."""
    routes = Routes(people.app.routes)
    found = [(method, path, *routes.wanted(method, path)[:2]) for method, path, *_ in REQUESTS]
    assert found == REQUESTS


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 403, "csrf_token_missing"),
        ({"X-CSRF-Token": "x"}, 403, "csrf_token_wrong"),
        ({"X-CSRF-Token": ""}, 403, "csrf_token_wrong"),
        ({"X-CSRF-Token": "another session's"}, 403, "csrf_token_wrong"),
        ({"X-CSRF-Token": "own"}, 200, None),
        ({"X-CSRF-Token": "own", "Origin": ORIGIN}, 200, None),
        ({"X-CSRF-Token": "own", "Origin": "http://evil.example"}, 403, "cross_origin"),
        ({"X-CSRF-Token": "own", "Origin": "null"}, 403, "cross_origin"),
        ({"X-CSRF-Token": "own", "Sec-Fetch-Site": "cross-site"}, 403, "cross_origin"),
        ({"X-CSRF-Token": "own", "Sec-Fetch-Site": "same-origin"}, 200, None),
    ],
)
def test_a_cookie_alone_changes_nothing(
    people: People,
    district: District,
    headers: dict[str, str],
    status: int,
    reason: str | None,
) -> None:
    """The page's own token as well, and never from a page of another origin."""
    alert_id = district.raise_alert("cy-08")
    tokens = {"own": people.csrf["deng"], "another session's": people.csrf["ada"]}
    sent = {name: tokens.get(value, value) for name, value in headers.items()}
    path = f"/api/v1/alerts/{alert_id}/acknowledge"
    answer = people.post(path, {}, headers={"Cookie": people.cookies["deng"], **sent})
    assert answer.status_code == status, answer.text
    assert answer.json().get("reason" if reason else "missing") == reason
    assert (district.book.get(alert_id).state == "acknowledged") == (status == 200)


def test_a_cookie_alone_reads(people: People) -> None:
    """Another site's page cannot see the answer: nothing here allows cross-origin reading."""
    answer = people.get("/api/v1/zones", headers={"Cookie": people.cookies["vera"]})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-cache"


def test_a_token_needs_no_csrf_token(people: People, district: District) -> None:
    """Browsers never send it by themselves. Also those of the file."""
    alert_id = district.raise_alert("cy-08")
    body = {"name": "desk", "role": "dispatcher", "expires": "2026-01-01"}
    made = people.by("ada", "POST", "/api/v1/tokens", body)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    token = made.json()["token"]
    answer = people.with_token(token, "POST", f"/api/v1/alerts/{alert_id}/acknowledge", {})
    assert answer.json()["acknowledged_by"] == "token:desk"
    noted = people.with_token(
        STATIC, "POST", f"/api/v1/alerts/{alert_id}/note", {"text": "x", "actor": "ada"}
    )
    assert noted.json()["history"][-1]["actor"] == "file:scada"
    assert people.with_token(STATIC, "GET", "/metrics").status_code == 200
    assert people.with_token(STATIC, "GET", "/api/v1/users").json()["reason"] == "role_too_low"


def test_a_token_is_shown_once(people: People) -> None:
    """Then never again, in no list."""
    made = people.by("ada", "POST", "/api/v1/tokens", {"name": "desk", "role": "viewer"}).json()
    listed = people.by("ada", "GET", "/api/v1/tokens")
    assert made["token"].startswith("zx_")
    assert made["token"] not in listed.text
    assert [each["name"] for each in listed.json()["tokens"]] == ["desk"]
    assert "token" not in listed.json()["tokens"][0]
    assert people.by("ada", "DELETE", "/api/v1/tokens/desk").status_code == 204
    refused = people.with_token(made["token"], "GET", "/api/v1/zones")
    assert (refused.status_code, refused.json()["reason"]) == (401, "token_revoked")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "zx_x", "Bearer a b", "Bearer ä"]
)
def test_a_wrong_token_is_refused_whatever_cookie_comes_along(people: People, header: str) -> None:
    """Who says to be a program is judged as one."""
    sent = {"Authorization": header.encode("latin-1"), "Cookie": people.cookies["ada"].encode()}
    answer = people.get("/api/v1/zones", headers=sent)
    assert (answer.status_code, answer.json()["reason"]) == (401, "token_unknown")


def test_the_actor_is_who_has_signed_in(people: People, district: District) -> None:
    """Whatever the body says; the audit record refers to the row of the book."""
    alert_id = district.raise_alert("cy-08")
    path = f"/api/v1/alerts/{alert_id}/acknowledge"
    answer = people.by("deng", "POST", path, {"actor": "ada"})
    assert answer.json()["acknowledged_by"] == "deng"
    assert people.by("deng", "POST", path, {}).status_code == 409
    newest, *_ = people.access.entries()
    assert (newest.actor, newest.action, newest.subject, newest.address) == (
        "deng",
        "POST /alerts/{alert_id}/acknowledge",
        f"/alerts/{alert_id}/acknowledge",
        "127.0.0.1",
    )
    transition = district.book.get(alert_id).history[-1]
    assert newest.detail == {"alert": alert_id, "transition": transition.seq}


def test_only_administrators_draw_zones(people: People) -> None:
    """Others read. What was drawn is in the audit record, and a dry run is not."""
    zones = people.by("vera", "GET", "/api/v1/zones").json()
    path = f"/api/v1/zones/{zones['features'][0]['id']}"
    for name in ("vera", "deng"):
        assert people.by(name, "GET", f"{path}/versions").status_code == 200
        assert people.by(name, "PUT", path, zones["features"][0]).status_code == 403
        assert people.by(name, "DELETE", path).status_code == 403
    known = len(people.access.entries())
    dry = people.by("ada", "PUT", f"{path}?dry_run=true", zones["features"][0])
    assert (dry.status_code, len(people.access.entries())) == (200, known)
    headers = {
        "Cookie": people.cookies["ada"],
        "X-CSRF-Token": people.csrf["ada"],
        "If-Match": zones["version"],
    }
    assert people.ask("DELETE", path, headers=headers).status_code == 200
    newest, *_ = people.access.entries()
    assert (newest.actor, newest.action) == ("ada", "DELETE /zones/{zone_id}")
    assert newest.detail == {
        "zone": zones["features"][0]["id"], "at": "2025-11-23T09:00:00+08:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("patrol.example", None),
        ("PATROL.example:443", None),
        ("127.0.0.1:8080", None),
        ("192.0.2.7:8080", None),
        ("[2001:db8::7]:8080", None),
        ("evil.example", "host_unknown"),
        ("patrol.example.evil.example", "host_unknown"),
        ("192.0.2.7.evil.example", "host_unknown"),
        ("", "host_unknown"),
    ],
)
def test_public_names_are_answered(
    district: District, access: Access, host: str, reason: str | None
) -> None:
    """Names that are configured, and addresses, which no stranger's page can own."""
    people = People(district, access, public=frozenset({"patrol.example"}), beyond=True)
    answer = people.get("/healthz", headers={"Host": host})
    assert answer.json().get("reason") == reason


def test_addresses_are_not_answered_on_loopback(district: District, access: Access) -> None:
    """Nobody can have sent them."""
    people = People(district, access, public=frozenset({"patrol.example"}))
    assert people.get("/healthz", headers={"Host": "192.0.2.7"}).json()["reason"] == "host_unknown"


def test_strangers_learn_no_reasons_from_readiness(district: District, access: Access) -> None:
    """A probe needs to know whether; the reason may name other machines.

    A health check on this machine is told; a proxy on it passes on the name it was asked for.
    """
    people = People(district, access, public=frozenset({"patrol.example"}))
    people.add("vera", "viewer")
    people.sign_in("vera")
    district.health = Health([Part("inlet", ok=False, reason="broker.internal: refused")])
    outside = {"Host": "patrol.example"}
    assert "broker.internal" not in people.get("/readyz", headers=outside).text
    signed_in = outside | {"Cookie": people.cookies["vera"]}
    assert "broker.internal" in people.get("/readyz", headers=signed_in).text
    assert "broker.internal" in people.get("/readyz").text


def test_without_access_control_nobody_is_asked(district: District) -> None:
    """As in the demo: no door, no users, and loopback only."""
    api = Api(create_app(district.sources()))
    assert api.get("/api/v1/zones").status_code == 200
    assert api.get("/api/v1/users").json()["reason"] == "unknown_route"
    assert api.get("/login").status_code == 404
    with pytest.raises(AssertionError, match="loopback only"):
        create_app(district.sources(), None, Hosts(beyond=True))
