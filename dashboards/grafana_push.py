"""Push folder, data source and dashboards to a Grafana over its HTTP API.

Pushing again changes nothing. Changes by hand are put back, but for the data source, which is left
as it is unless the caller gives its settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from grafana_client import GrafanaApi
from grafana_client.client import GrafanaException

from dashboards.grafana.build import build
from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import TYPE
from files.secret import Secret

OLDEST: Final = (10, 4)
"""The dashboards are checked against Grafana 11.6 and newer; older ones lack features of them."""

FOLDER: Final = "zhixun"
"""Identity of the folder."""

URL, DATABASE = "http://127.0.0.1:8086", "patrol"
"""Address and database of a new data source by default."""

ANSWER_S: Final = 15.0

MISSING_OR_HIDDEN: Final = (404, 403)
"""Grafana answers an Editor 403 about a missing folder. A missing permission shows when the thing
is made."""

Outcome = Literal["created", "updated", "unchanged", "kept"]
T = TypeVar("T")


class PushError(Exception):
    """The dashboards could not be pushed; the steps done until then stay."""


class GrafanaRefuses(PushError):
    """Pushing again is no use: no permission, too old, or not a Grafana at all."""


class GrafanaUnreachable(PushError):
    """No answer, or Grafana itself is in trouble: try again later."""


class Done(NamedTuple):
    """A thing that was pushed, and the outcome."""

    what: str
    outcome: Outcome


@dataclass(frozen=True)
class Influx:
    """The InfluxDB that the data source asks; a setting that is None stays as it is.

    `url` is its address as Grafana reaches it, `database` may be the DBRP mapping of a bucket,
    and `token` may read it.
    """

    url: str | None = None
    database: str | None = None
    token: Secret | None = None


def connect(url: str, user: str | None, secret: Secret | None) -> GrafanaApi:
    """Make a client of a Grafana whose front page is at `url`; it may be below a path.

    The secret is the user's password, or without a user the token of a service account.
    """
    value = None if secret is None else secret.get_secret_value()
    parts = urlsplit(url)
    host = parts.hostname or ""
    path = parts.path.strip("/")
    return GrafanaApi(
        (user, value) if user else value,
        protocol=parts.scheme,
        host=f"[{host}]" if ":" in host else host,
        port=parts.port,
        url_path_prefix=f"{path}/" if path else "",
        timeout=ANSWER_S,
    )


def push(
    grafana: GrafanaApi,
    edition: Edition,
    *,
    influx: Influx | None = None,
    only_dashboards: bool = False,
    told: Callable[[Done], None] = lambda done: None,
) -> None:
    """Push folder, data source and dashboards to a Grafana, and tell of each as it is done.

    When `influx`, that of the data source, is None, an existing data source is left as it is, and a
    new one asks an InfluxDB on Grafana's own machine. `only_dashboards` leaves the data source
    alone, for a token that may not see it.

    GrafanaRefuses, GrafanaUnreachable: the message says what to do.
    """
    _check_version(grafana)
    told(Done(f"folder {edition.say('folder')}", _put_folder(grafana, edition.say("folder"))))
    if not only_dashboards:
        outcome = _put_datasource(grafana, edition.datasource, influx)
        told(Done(f"data source {edition.datasource}", outcome))
    for data in build(edition).values():
        dashboard = json.loads(data)
        told(Done(f"dashboard {dashboard['title']}", _put_dashboard(grafana, dashboard)))


def _check_version(grafana: GrafanaApi) -> None:
    health = _ask("answer", grafana.health.check)
    if not isinstance(health, dict) or "database" not in health:
        raise GrafanaRefuses(
            "what answers there is not Grafana; give the address of its front page"
        )
    version = str(health.get("version", ""))
    found = re.match(r"(\d+)\.(\d+)", version)
    # A Grafana may be told to keep its version to itself: then it is tried.
    if found and (int(found[1]), int(found[2])) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise GrafanaRefuses(
            f"this is Grafana {version}, and the dashboards need {needed} or newer; update it"
        )


def _put_folder(grafana: GrafanaApi, title: str) -> Outcome:
    if _ask("read folders", lambda: grafana.folder.get_folder(FOLDER), MISSING_OR_HIDDEN):
        return "unchanged"
    _ask("make a folder", lambda: grafana.folder.create_folder(title, uid=FOLDER))
    return "created"


def _put_datasource(grafana: GrafanaApi, uid: str, influx: Influx | None) -> Outcome:
    there = _ask("read data sources", lambda: grafana.datasource.get_datasource_by_uid(uid), (404,))
    if there is not None and influx is None:
        return "kept"
    wanted = datasource(uid, influx or Influx(), there or {})
    if there is None:
        _ask("make a data source", lambda: grafana.datasource.create_datasource(wanted))
        return "created"
    if "secureJsonData" not in wanted and _holds(there, wanted):
        return "unchanged"  # with a token nobody can tell: Grafana does not show it
    # What is not said stays: without a new token, the header that carries the old one.
    settings = (there.get("jsonData") or {}) | wanted["jsonData"]
    changed = there | wanted | {"jsonData": settings}
    _ask(
        "change the data source",
        lambda: grafana.datasource.update_datasource_by_uid(uid, changed),
    )
    return "updated"


def datasource(uid: str, influx: Influx, there: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the data source as Grafana keeps it: InfluxDB, asked in InfluxQL.

    `there` is the existing one, or empty.
    """
    before: Mapping[str, Any] = there.get("jsonData") or {}
    settings: dict[str, Any] = {
        "dbName": influx.database or before.get("dbName") or there.get("database") or DATABASE,
        "httpMode": "GET",
        "timeInterval": "10s",
        "version": "InfluxQL",
    }
    wanted: dict[str, Any] = {
        "uid": uid,
        "name": "Zhixun InfluxDB",
        "type": TYPE,
        "access": "proxy",
        "url": influx.url or there.get("url") or URL,
        "jsonData": settings,
    }
    if influx.token is not None:
        settings["httpHeaderName1"] = "Authorization"
        wanted["secureJsonData"] = {"httpHeaderValue1": f"Token {influx.token.get_secret_value()}"}
    return wanted


def _put_dashboard(grafana: GrafanaApi, wanted: Mapping[str, Any]) -> Outcome:
    uid = wanted["uid"]
    there = _ask("read dashboards", lambda: grafana.dashboard.get_dashboard(uid), MISSING_OR_HIDDEN)
    if there is not None:
        shown = {name: value for name, value in there["dashboard"].items() if name in wanted}
        in_folder = there.get("meta", {}).get("folderUid") == FOLDER
        if in_folder and shown | {"version": wanted["version"]} == wanted:
            return "unchanged"
    # Without a version Grafana overwrites whatever is there, and counts on.
    body = {name: value for name, value in wanted.items() if name != "version"}
    _ask(
        "save dashboards",
        lambda: grafana.dashboard.update_dashboard(
            {"dashboard": body, "folderUid": FOLDER, "overwrite": True, "message": "patrol"}
        ),
    )
    return "created" if there is None else "updated"


def _holds(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an existing thing has all wanted values; it may have more."""
    return all(
        _holds(there.get(name) or {}, value)
        if isinstance(value, dict)
        else there.get(name) == value
        for name, value in wanted.items()
    )


def _ask(what: str, ask: Callable[[], T], missing: tuple[int, ...] = ()) -> T | None:
    """Return the answer, or None when its status is one of those that say "there is none"."""
    try:
        return ask()
    except GrafanaException as exc:
        if exc.status_code in missing:
            return None
        raise _named(what, exc) from exc
    except ValueError as exc:  # before OSError: an answer that is not JSON is both
        raise GrafanaRefuses(f"what answers there is not Grafana: {exc}") from exc
    except OSError as exc:
        raise GrafanaUnreachable(f"Grafana cannot be reached: {_plain(exc)}") from exc


def _named(what: str, exc: GrafanaException) -> PushError:
    """The error for an answer that is no success, with the action to take."""
    status = exc.status_code
    said = " ".join(str(exc.message).split())
    if status == 401:
        return GrafanaRefuses(
            "Grafana does not know who asks (401): give the token of a service account with "
            "--token-file, or a user with GRAFANA_USER and GRAFANA_PASSWORD"
        )
    if status == 403:
        return GrafanaRefuses(
            f"Grafana does not allow to {what} ({said}). Folder and dashboards need the role "
            "Editor, the data source needs Admin; with --only-dashboards it is left alone"
        )
    if status == 404:
        return GrafanaRefuses(
            "there is no Grafana at that address (404): give that of its front page, with the "
            "path below which it is served"
        )
    if 400 <= (status or 0) < 500:
        return GrafanaRefuses(f"Grafana refuses to {what}: {said}")
    return GrafanaUnreachable(f"Grafana is in trouble: {said}")


def _plain(exc: Exception) -> str:
    """The cause of an error, without the objects that the library names."""
    found = re.search(r"\[Errno \d+\] ([^'\")]+)|(timed out)|(Name or service not known)", str(exc))
    return next((text for text in found.groups() if text), str(exc)) if found else str(exc)
