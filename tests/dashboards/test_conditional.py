"""What the caller still has is not sent again, and which other pages may ask at all."""

from __future__ import annotations

import httpx
import pytest

from dashboards.api.loopback import Hosts, refusal
from dashboards.app import create_app
from tests.dashboards.access.people import STATIC, Clock, new_access
from tests.dashboards.conftest import Api
from tests.dashboards.district import District

ZONES = "/api/v1/zones"
MAP = "https://map.example"


@pytest.mark.parametrize("path", ["zones", "coverage", "bikes", "alerts", "bikes?format=csv"])
def test_what_has_not_changed_is_not_sent_again(api: Api, district: District, path: str) -> None:
    """Not even when time has passed, which only `at` says; a change is another tag."""
    first = api.get(f"/api/v1/{path}")
    assert first.headers["cache-control"] == "private, no-cache"
    tag = first.headers["etag"]
    district.now_ms += 1000
    for asked in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
        again = api.get(f"/api/v1/{path}", headers={"If-None-Match": asked})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    district.raise_alert("cy-08")
    district.ride(3, 36.305, 120.37)
    district.stand("cy-08", "overdue")
    assert api.get(f"/api/v1/{path}", headers={"If-None-Match": tag}).status_code == 200


def test_what_must_not_be_kept_has_no_tag(api: Api) -> None:
    """Refusals, which may be over at once."""
    answer = api.get("/api/v1/bikes/nobody", headers={"If-None-Match": "*"})
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


def test_answers_are_compressed(api: Api) -> None:
    """For whoever says that they can read it; the tag is the same."""
    plain = api.get(ZONES, headers={"Accept-Encoding": "identity"})
    short = api.get(ZONES, headers={"Accept-Encoding": "gzip"})
    assert short.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert short.json() == plain.json()
    assert short.headers["etag"] == plain.headers["etag"]
    assert "Accept-Encoding" in short.headers["vary"]


def asked_by_a_page(district: District, origins: set[str], **headers: str) -> httpx.Response:
    """The answer to a page of another origin, which has a token."""
    access = new_access(district.book.file.path.parent / "access.sqlite", Clock())
    api = Api(create_app(district.sources(), access, Hosts(origins=frozenset(origins))))
    sent = {"Origin": MAP, "Authorization": f"Bearer {STATIC}"}
    return api.get(ZONES, headers=sent | headers)


@pytest.mark.parametrize(
    ("origins", "let_in"), [(set(), None), ({MAP}, MAP), ({"*"}, "*"), ({f"{MAP}:8443"}, None)]
)
def test_pages_of_other_origins_read_what_they_may(
    district: District, origins: set[str], let_in: str | None
) -> None:
    """Those that the setting names, with a token of theirs; never with anybody's cookie."""
    answer = asked_by_a_page(district, origins)
    assert answer.status_code == 200
    assert answer.headers.get("access-control-allow-origin") == let_in
    assert "access-control-allow-credentials" not in answer.headers
    refused = asked_by_a_page(district, origins, Authorization="Bearer x")
    assert refused.status_code == 401
    assert refused.headers.get("access-control-allow-origin") == let_in


def test_a_browser_is_told_before_it_sends_a_token(district: District) -> None:
    """The question that it asks first needs no token."""
    access = new_access(district.book.file.path.parent / "access.sqlite", Clock())
    api = Api(create_app(district.sources(), access, Hosts(origins=frozenset({MAP}))))
    wanted = {
        "Origin": MAP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = api.ask("OPTIONS", "/api/v1/campaigns", headers=wanted)
    assert answer.status_code == 200
    assert "POST" in answer.headers["access-control-allow-methods"]
    stranger = wanted | {"Origin": "https://evil.example"}
    assert api.ask("OPTIONS", "/api/v1/campaigns", headers=stranger).status_code == 400


@pytest.mark.parametrize(
    ("origins", "token", "refused"),
    [
        ({MAP}, True, None),
        ({"*"}, True, None),
        ({MAP}, False, "cross_origin"),
        ({"*"}, False, "cross_origin"),
        ({"https://other.example"}, True, "cross_origin"),
        (set(), True, "cross_origin"),
    ],
)
def test_only_a_token_changes_something_from_elsewhere(
    origins: set[str], token: bool, refused: str | None
) -> None:
    """A browser adds a cookie by itself, and never a token."""
    hosts = Hosts(origins=frozenset(origins))
    assert refusal("POST", "127.0.0.1", MAP, "cross-site", hosts, token) == refused
