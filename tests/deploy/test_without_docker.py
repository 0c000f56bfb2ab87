"""The unit for systemd and the proxies' files say what the station and its manual say."""

from __future__ import annotations

import configparser
import re
import shlex

from typer.main import get_command

from patrol.cli import app
from patrol.config.sections import Http
from patrol.port import BODY_BYTES, HEAD_BYTES, PATIENCE_S
from tests.deploy.test_compose import SERVICES
from tests.servers import REPOSITORY

CADDY = (REPOSITORY / "docker/proxy/Caddyfile").read_text("utf-8")
NGINX = (REPOSITORY / "docker/proxy/nginx.conf").read_text("utf-8")
ACCESS = (REPOSITORY / "docs/access.md").read_text("utf-8")


def test_the_unit_runs_a_command_that_there_is() -> None:
    """It is told when it has started, hears SIGHUP, and has the memory of the container."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(REPOSITORY / "docker/systemd/zhixun.service", "utf-8")
    service = unit["Service"]
    _, command, *rest = shlex.split(service["ExecStart"])
    get_command(app).make_context("patrol", [command, *rest])
    assert service["Type"] == "notify"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["MemoryMax"].lower() == SERVICES["patrol"]["mem_limit"]
    assert int(service["TasksMax"]) == SERVICES["patrol"]["pids_limit"]


def test_proxies_have_the_limits_of_the_station() -> None:
    """A body, the head of a request and the patience for both; and the manual names the files."""
    head_s, body_s = round(PATIENCE_S["head"]), round(PATIENCE_S["body"])
    assert f"client_header_timeout {head_s}s;" in NGINX
    assert f"client_body_timeout {body_s}s;" in NGINX
    assert f"client_max_body_size {BODY_BYTES >> 20}m;" in NGINX
    assert f"limit_conn zhixun {Http().connections_per_address};" in NGINX
    assert re.search(rf"read_header {head_s}s\s+read_body {body_s}s", CADDY)
    assert f"max_header_size {HEAD_BYTES >> 10}KiB" in CADDY
    assert f"max_size {BODY_BYTES >> 20}MiB" in CADDY
    for text, unbuffered in ((NGINX, "proxy_buffering off;"), (CADDY, "flush_interval -1")):
        assert unbuffered in text
        assert f"127.0.0.1:{Http().port}" in text
    for name in ("Caddyfile", "nginx.conf"):
        assert f"(../docker/proxy/{name})" in ACCESS
