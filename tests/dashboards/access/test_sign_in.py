"""Signing in and out, passwords and users: through the API, with the record of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dashboards.access.access import Access
from dashboards.api.loopback import Hosts
from dashboards.app import create_app
from dashboards.console import files
from tests.dashboards.access.people import NOW_MS, PASSWORD, STATIC, Clock, People
from tests.dashboards.district import District


def test_signing_in_and_out(people: People) -> None:
    """The cookie is HttpOnly; after signing out it is worth nothing."""
    answer = people.sign_in("vera")
    assert {"HttpOnly", "SameSite=lax"} < set(answer.headers["set-cookie"].split("; "))
    assert "Secure" not in answer.headers["set-cookie"]
    assert answer.headers["cache-control"] == "no-store"
    me = people.by("vera", "GET", "/api/v1/me").json()
    assert me == {
        "name": "vera", "role": "viewer", "kind": "session", "csrf_token": people.csrf["vera"],
    }  # fmt: skip
    gone = people.by("vera", "DELETE", "/api/v1/session")
    assert gone.status_code == 204
    assert "Max-Age=0" in gone.headers["set-cookie"]
    answer = people.by("vera", "GET", "/api/v1/me")
    assert (answer.status_code, answer.json()["reason"]) == (401, "session_over")
    assert people.with_token(STATIC, "GET", "/api/v1/me").json()["name"] == "file:scada"
    assert people.with_token(STATIC, "DELETE", "/api/v1/session").json()["reason"] == "no_session"


def test_signing_in_anew_ends_the_session_before(people: People) -> None:
    """In the same browser, also as somebody else; a wrong password ends nothing."""
    cookie = {"Cookie": people.cookies["vera"]}
    body = {"username": "ada", "password": "wrong words, four of them"}
    assert people.ask("POST", "/api/v1/session", headers=cookie, json=body).status_code == 401
    assert people.by("vera", "GET", "/api/v1/me").json()["name"] == "vera"
    people.sign_in("ada", headers=cookie)
    assert people.by("vera", "GET", "/api/v1/me").json()["reason"] == "session_over"
    assert people.by("ada", "GET", "/api/v1/me").json()["name"] == "ada"
    assert people.by("deng", "GET", "/api/v1/me").status_code == 200


def test_a_wrong_password_is_401_and_a_flood_429(people: People) -> None:
    """With the named reason, and when to come back."""
    for _ in range(10):
        answer = people.sign_in("vera", "wrong password")
        assert (answer.status_code, answer.json()["reason"]) == (401, "wrong_credentials")
    answer = people.sign_in("vera")
    assert (answer.status_code, answer.json()["reason"]) == (429, "too_many_attempts_user")
    assert answer.headers["retry-after"] == "30"
    assert people.by("vera", "GET", "/api/v1/me").status_code == 200, "who is in stays in"


def test_signing_in_is_not_for_other_sites(people: People) -> None:
    """Nor may a form of another origin sign somebody in as somebody else."""
    answer = people.sign_in("vera", headers={"Origin": "http://evil.example"})
    assert answer.json()["reason"] == "cross_origin"


def test_over_tls_the_cookie_is_secure(people: People, district: District, access: Access) -> None:
    """Whether to this server or, once it believes it, to a proxy in front."""
    from httpx import ASGITransport, AsyncClient

    app = create_app(district.sources(), access, Hosts(frozenset({"patrol.example"})))

    async def asked() -> tuple[str, int, int]:
        async with AsyncClient(
            transport=ASGITransport(app), base_url="https://patrol.example"
        ) as client:
            answer = await client.post(
                "/api/v1/session", json={"username": "vera", "password": PASSWORD}
            )
            held = answer.headers["set-cookie"]
            good = await client.get("/api/v1/me", headers={"Cookie": held.split(";")[0]})
            planted = held.split(";")[0].removeprefix("__Host-")
            client.cookies.clear()
            bad = await client.get("/api/v1/me", headers={"Cookie": planted})
            return held, good.status_code, bad.status_code

    held, good, bad = asyncio.run(asked())
    assert held.startswith("__Host-zhixun_session=")
    assert held.endswith("; Secure")
    assert (good, bad) == (200, 401)


def test_pages_lead_to_the_door(people: People) -> None:
    """A browser that navigates is led there and back; a script is told 401."""
    html = {"Accept": "text/html,*/*"}
    led = people.get("/?lang=en", headers=html)
    assert (led.status_code, led.headers["location"]) == (303, "/login?next=%2F%3Flang%3Den")
    assert people.get("/").status_code == 401
    assert people.get("/x.js", headers=html | {"Accept": "*/*"}).status_code == 401
    page = people.get("/login")
    assert page.status_code == 200
    assert people.get(files.url("door/door.js")).status_code == 200
    assert people.get("/setup").headers["location"] == "/login"


def test_without_users_pages_lead_to_the_setup(district: District, access: Access) -> None:
    """And the link's secret is in no page."""
    people = People(district, access)
    link = access.invite()
    led = people.get("/", headers={"Accept": "text/html"})
    assert led.headers["location"].startswith("/setup?")
    page = people.get("/setup")
    assert page.status_code == 200
    assert link not in page.text
    body = {"token": link, "username": "ada", "password": PASSWORD}
    made = people.post("/api/v1/setup", body)
    assert (made.status_code, made.json()["role"]) == (201, "admin")
    assert people.post("/api/v1/setup", body).json()["reason"] == "already_set_up"


def test_administrators_manage_users(people: People) -> None:
    """Add, list, change, disable; each refusal has its name."""
    body = {"username": "Wang", "role": "viewer", "password": PASSWORD}
    made = people.by("ada", "POST", "/api/v1/users", body)
    assert (made.status_code, made.json()["username"]) == (201, "wang")
    assert people.by("ada", "POST", "/api/v1/users", body).json()["reason"] == "username_taken"
    weak = people.by("ada", "POST", "/api/v1/users", {**body, "username": "wu", "password": "wu"})
    assert (weak.status_code, weak.json()["reason"]) == (422, "weak_password")
    people.sign_in("wang")
    changed = people.by(
        "ada", "PATCH", "/api/v1/users/wang", {"role": "dispatcher", "password": PASSWORD + "!"}
    )
    assert changed.json()["role"] == "dispatcher"
    assert people.by("wang", "GET", "/api/v1/me").status_code == 401
    assert people.by("ada", "DELETE", "/api/v1/users/wang").status_code == 204
    assert people.sign_in("wang", PASSWORD + "!").status_code == 401
    gone = people.by("ada", "DELETE", "/api/v1/users/ada")
    assert (gone.status_code, gone.json()["reason"]) == (409, "last_admin")
    unknown = people.by("ada", "PATCH", "/api/v1/users/nobody1", {})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "unknown_user")
    assert "$argon2" not in people.by("ada", "GET", "/api/v1/users").text


def test_one_changes_ones_own_password(people: People) -> None:
    """Knowing the old one; then everything of that user is signed out."""
    path, new = "/api/v1/me/password", "another four words"
    wrong = people.by("vera", "PUT", path, {"current": "wrong", "new": new})
    assert (wrong.status_code, wrong.json()["reason"]) == (401, "wrong_credentials")
    assert people.by("vera", "PUT", path, {"current": PASSWORD, "new": new}).status_code == 204
    assert people.by("vera", "GET", "/api/v1/me").status_code == 401
    assert people.sign_in("vera", new).status_code == 201


def test_the_record_is_read_in_pages(people: People) -> None:
    """The newest first, without gap or repeat, filtered by actor and action."""
    first = people.by("ada", "GET", "/api/v1/audit?limit=4").json()
    second = people.by("ada", "GET", f"/api/v1/audit?limit=4&cursor={first['next_cursor']}").json()
    rows = first["entries"] + second["entries"]
    assert [row["action"] for row in reversed(rows)] == ["user_added", "login"] * 3
    assert "next_cursor" not in second
    assert rows[0]["at"] == "2025-11-23T09:00:00+08:00"
    mine = people.by("ada", "GET", "/api/v1/audit?actor=vera&action=login").json()["entries"]
    assert len(mine) == 1
    assert "password" not in str(rows).lower().replace("password_", "")


def test_sessions_follow_the_clock(people: People, clock: Clock) -> None:
    """Through the API as well."""
    assert clock.now_ms == NOW_MS
    clock.now_ms += 12 * 3_600_000
    answer = people.by("vera", "GET", "/api/v1/zones")
    assert (answer.status_code, answer.json()["reason"]) == (401, "session_over")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_stranger_sends_no_more_than_a_password_needs(people: People, chunked: bool) -> None:
    """413 before anything of it is read; who is signed in may send more."""
    body = b'{"username": "' + b"a" * 20_000

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    content = pieces() if chunked else body
    answer = people.ask("POST", "/api/v1/session", content=content)
    assert (answer.status_code, answer.json()["reason"]) == (413, "body_too_large")
    assert people.ask("POST", "/api/v1/session", content=b"{}").status_code == 422
