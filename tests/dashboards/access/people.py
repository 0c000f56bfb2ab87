"""Access control over a hand-made district, with a clock that a test sets."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import httpx

from dashboards.access.access import Access
from dashboards.access.audit import By
from dashboards.access.credentials import Passwords
from dashboards.access.roles import Role
from dashboards.access.sessions import Lifetime
from dashboards.access.tokens import parse_tokens_file
from dashboards.api.loopback import Hosts
from dashboards.app import create_app
from tests.dashboards.conftest import Api
from tests.dashboards.district import District

NOW_MS = 1_763_859_600_000
PASSWORD = "four random words here"
STATIC = "static-secret"
QUICK = Passwords(time_cost=1, memory_kib=64)
"""The same algorithm, without the waiting."""

DOCUMENTED: list[tuple[str, str, Role]] = re.findall(
    r"^\| ([A-Z]+) (/\S+) \| (\w+) \| [^|]+ \|$",
    (Path(__file__).parents[3] / "docs/api.md").read_text("utf-8"),
    re.MULTILINE,
)
"""Method and path of every route of the API, and the role it needs, as docs/api.md says."""

ROUTES = {(method, path): role for method, path, role in DOCUMENTED}


class Clock:
    """Says what a test wants [ms]."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


def new_access(path: Path | str, clock: Clock, lifetime: Lifetime | None = None) -> Access:
    """With one token in the file."""
    digest = hashlib.sha256(STATIC.encode()).hexdigest()
    static = parse_tokens_file(f"# comment\n\nscada dispatcher {digest}\n")
    return Access(path, clock, lifetime=lifetime, static_tokens=static, passwords=QUICK)


def boss(access: Access) -> By:
    """Whoever administers the machine."""
    return access.by("cli:root")


class People(Api):
    """The application with access control; signs in as one of each role."""

    def __init__(self, district: District, access: Access, **hosts: Any) -> None:
        self.sources = district.sources()
        super().__init__(create_app(self.sources, access, Hosts(**hosts)))
        self.access = access
        self.cookies: dict[str, str] = {}
        self.csrf: dict[str, str] = {}

    def add(self, name: str, role: Role) -> None:
        """Add a user."""
        self.access.add_user(boss(self.access), name, role, PASSWORD)

    def sign_in(self, name: str, password: str = PASSWORD, **options: Any) -> httpx.Response:
        """Sign in; further requests may be `by` this name."""
        body = {"username": name, "password": password}
        answer = self.post("/api/v1/session", body, **options)
        if answer.status_code == 201:
            self.cookies[name] = answer.headers["set-cookie"].split(";")[0]
            self.csrf[name] = answer.json()["csrf_token"]
        return answer

    def by(self, name: str, method: str, path: str, body: object = None) -> httpx.Response:
        """A request of a page of somebody who has signed in."""
        headers = {"Cookie": self.cookies[name]}
        if method != "GET":
            headers["X-CSRF-Token"] = self.csrf[name]
        return self.ask(method, path, headers=headers, json=body)

    def with_token(self, token: str, method: str, path: str, body: object = None) -> httpx.Response:
        """A request of a program."""
        headers = {"Authorization": f"Bearer {token}"}
        return self.ask(method, path, headers=headers, json=body)

    def said(self) -> list[tuple[str, str, str]]:
        """The audit record, oldest first: actor, action, subject."""
        entries = self.access.entries(limit=1000)
        return [(entry.actor, entry.action, entry.subject) for entry in reversed(entries)]
