"""A small Grafana: the part of its HTTP API that pushing needs, with roles and a record of calls.

What it answers was taken from Grafana's documentation of its HTTP API and its source, 11.6.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.servers import Answer, Request, answering

TOKENS: dict[str, str] = {
    "Bearer admin-token": "Admin",
    "Bearer editor-token": "Editor",
    "Bearer viewer-token": "Viewer",
    "Basic " + base64.b64encode(b"boss:secret").decode(): "Admin",
}


@dataclass
class FakeGrafana:
    """What it knows, and what it was asked.

    Attributes
    ----------
    version : str
        None when it keeps it to itself.
    prefix : str
        The path below which it is served.
    mode : str
        What it does instead of its work.
    calls : list of (str, str)
        Method and path of every request.
    """

    version: str | None = "11.6.1"
    prefix: str = ""
    mode: Literal["", "sick", "nothing", "shop"] = ""
    provisioned: set[str] = field(default_factory=set)
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    datasources: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    @property
    def writes(self) -> list[tuple[str, str]]:
        """The calls that change something."""
        return [call for call in self.calls if call[0] != "GET"]

    def answer(
        self, method: str, path: str, body: dict[str, Any], role: str | None
    ) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        self.calls.append((method, path))
        if self.mode == "nothing" or not path.startswith(f"{self.prefix}/api/"):
            return 404, {"message": "Not found"}
        path = path.removeprefix(f"{self.prefix}/api")
        if self.mode == "sick":
            return 503, {"database": "failing", "message": "database is locked"}
        if path == "/health":
            known = {} if self.version is None else {"version": self.version, "commit": "abc"}
            return 200, {"database": "ok", **known}
        if role is None:
            return 401, {"message": "Unauthorized"}
        needed = "Admin" if path.startswith("/datasources") else "Editor"
        if role not in ("Admin", needed) and (method != "GET" or needed == "Admin"):
            return 403, {"message": "You'll need additional permissions to perform this action."}
        kind, _, rest = path.removeprefix("/").partition("/")
        if kind == "folders" and method == "GET" and role != "Admin" and rest not in self.folders:
            # What nobody but an administrator is told: that it is not there.
            message = "You'll need additional permissions to perform this action. "
            return 403, {"message": f"{message}Permissions needed: folders:read"}
        return getattr(self, f"_{kind}")(method, rest, body)  # type: ignore[no-any-return]

    def _folders(self, method: str, uid: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST":
            if body["uid"] in self.folders:
                return 412, {"message": "a folder with the same UID already exists"}
            self.folders[body["uid"]] = body
            return 200, body
        if uid not in self.folders:
            return 404, {"message": "folder not found", "status": "not-found"}
        return 200, self.folders[uid]

    def _datasources(self, method: str, rest: str, body: dict[str, Any]) -> tuple[int, Any]:
        uid = rest.removeprefix("uid/") or body["uid"]
        if method != "POST" and uid not in self.datasources:
            return 404, {"message": "Data source not found"}
        if method == "GET":
            return 200, self.datasources[uid]
        if method == "POST" and uid in self.datasources:
            return 409, {"message": "data source with the same name already exists"}
        if self.datasources.get(uid, {}).get("readOnly"):
            return 403, {"message": "Cannot update read-only data source"}
        self.secrets.setdefault(uid, {}).update(body.pop("secureJsonData", {}))
        fields = dict.fromkeys(self.secrets[uid], True)
        self.datasources[uid] = {"id": 1, "readOnly": False, "secureJsonFields": fields, **body}
        return 200, {"datasource": self.datasources[uid], "id": 1, "message": "ok"}

    def _dashboards(self, method: str, rest: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "GET":
            uid = rest.removeprefix("uid/")
            if uid not in self.dashboards:
                return 404, {"message": "Dashboard not found", "status": "not-found"}
            return 200, self.dashboards[uid]
        assert rest == "db"
        new = body["dashboard"]
        if new["uid"] in self.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        before = self.dashboards.get(new["uid"])
        if before and not body["overwrite"]:
            return 412, {"message": "The dashboard has been changed by someone else"}
        version = before["dashboard"]["version"] + 1 if before else 1
        self.dashboards[new["uid"]] = {
            "dashboard": {**new, "id": 7, "version": version},
            "meta": {"folderUid": body["folderUid"]},
        }
        return 200, {"uid": new["uid"], "version": version, "status": "success"}


@contextmanager
def serving(grafana: FakeGrafana) -> Iterator[FakeGrafana]:
    """The fake on a free loopback port."""

    def answer(asked: Request) -> Answer:
        role = TOKENS.get(asked.headers.get("Authorization", ""))
        status, said = grafana.answer(
            asked.method, asked.path, json.loads(asked.body or b"{}"), role
        )
        if grafana.mode == "shop":
            return Answer(200, "<html>Buy shoes</html>", {"Content-Type": "text/html"})
        return Answer(status, json.dumps(said), {"Content-Type": "application/json"})

    with answering(answer) as url:
        grafana.url = f"{url}{grafana.prefix}"
        yield grafana
