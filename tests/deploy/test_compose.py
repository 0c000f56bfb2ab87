"""docker-compose.yml: valid, complete, pinned, and closed by default.

There is no Docker here. The file is held against the compose specification's schema, and against
the rest of the project.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from patrol.config.settings import load_with_zones
from tests.deploy.mqtt import REPOSITORY
from tests.patience import PATIENCE_S
from tests.test_project import project_files

COMPOSE = REPOSITORY / "docker-compose.yml"
TEXT = COMPOSE.read_text("utf-8")
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
MANUAL = (REPOSITORY / "docs/operations.md").read_text("utf-8")
LOOPBACK_BY_DEFAULT = r"(127\.0\.0\.1|\$\{\w+:-127\.0\.0\.1\}):.*"

each_service = pytest.mark.parametrize("name", SERVICES)


def mounts(service: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Source, target and options of every mount, with variables at their defaults."""
    found = []
    for text in service.get("volumes", ()):
        source, target, *options = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).split(":")
        found.append((source, target, ",".join(options)))
    return found


def test_valid_by_the_specification() -> None:
    """The schema is the one that check-jsonschema brings along."""
    command = [sys.executable, "-m", "check_jsonschema"]
    done = subprocess.run(
        [*command, "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout


def test_the_schema_is_a_schema() -> None:
    """A key that the specification does not know is a mistake: the test above means something."""
    schema = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    assert json.loads(schema.read_text("utf-8"))["additionalProperties"] is False


@each_service
def test_mounts_and_builds_from_what_there_is(name: str) -> None:
    """Every file and folder is in the project, or made by docker/secrets.sh; volumes are named."""
    tracked = {str(file.relative_to(REPOSITORY)) for file in project_files()}
    for source, _, _ in mounts(SERVICES[name]):
        if source.startswith("./secrets/"):
            continue  # tests/deploy/test_secrets.py
        if source.startswith("./"):
            folder = source.removeprefix("./")
            assert any(path == folder or path.startswith(f"{folder}/") for path in tracked), source
        else:
            assert source in STACK["volumes"]
    build = SERVICES[name].get("build")
    if build:
        assert (REPOSITORY / build["context"] / build["dockerfile"]).is_file()


def test_every_variable_has_a_source() -> None:
    """A `${VARIABLE}` has a default or is made by docker/secrets.sh, and is in the manual."""
    plain = re.sub(r"(?m)#.*$", "", TEXT)
    for service in SERVICES.values():
        for argument in service.get("build", {}).get("args", ()):
            assert f"| `{argument}` |" in MANUAL
            dockerfile = (REPOSITORY / "Dockerfile").read_text("utf-8")
            assert re.search(rf"^ARG {argument}(=.+)?$", dockerfile, re.MULTILINE)
    for variable, default in re.findall(r"(?<!\$)\$\{?(\w+)(:[-?][^}]*)?", plain):
        assert f"| `{variable}` |" in MANUAL, variable
        if not default.startswith(":-"):
            assert f"{variable}=" in (REPOSITORY / "docker/secrets.sh").read_text("utf-8")


@each_service
def test_image_is_pinned(name: str) -> None:
    """A version of three parts, or built from this checkout."""
    service = SERVICES[name]
    if "build" in service:
        assert service["image"] == "zhixun:local"
        assert service["pull_policy"] == "build"
        assert service["init"] is True  # the kernel drops SIGTERM for a Python that starts as PID 1
    else:
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+(-[a-z]+)?", service["image"])


@each_service
def test_has_no_more_rights_than_it_needs(name: str) -> None:
    """Read-only root, no capabilities, no new ones, a user of its own, no socket of Docker."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    user, _, _ = service["user"].partition(":")
    assert int(user) > 0
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service)
    assert "docker.sock" not in json.dumps(service)
    for source, target, options in mounts(service):
        # Only InfluxDB writes into the checkout: its tokens.
        assert options == "ro" or source in STACK["volumes"] or target == "/tokens", source


@each_service
def test_is_watched_and_started_again(name: str) -> None:
    """A health check, a restart policy, logs that do not fill the disk."""
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] in ("service_healthy", "service_started")
        assert how["condition"] == "service_started" or "healthcheck" in SERVICES[other]


def test_memory_is_limited() -> None:
    """One service takes no memory from another; 4 GB are enough without the demo."""
    limits = {name: service["mem_limit"] for name, service in SERVICES.items()}
    mib = {
        name: int(limit[:-1]) * (1024 if limit[-1] == "g" else 1) for name, limit in limits.items()
    }
    assert sum(mib.values()) - mib["simulator"] <= 4096


def test_only_bikes_come_from_outside() -> None:
    """Of all ports only MQTT over TLS is open to other machines."""
    open_ports = [
        (name, port)
        for name, service in SERVICES.items()
        for port in service.get("ports", ())
        if not re.fullmatch(LOOPBACK_BY_DEFAULT, port)
    ]
    assert open_ports == [("mosquitto", "${ZHIXUN_MQTTS_BIND:-0.0.0.0}:8883:8883")]


def test_the_station_finds_what_is_published_for_it() -> None:
    """At the very address and port, wherever .env moves them."""
    station = SERVICES["patrol"]["environment"]
    plain, inside = SERVICES["mosquitto"]["ports"][1].rsplit(":", 1)
    assert (station["PATROL_MQTT__URL"], inside) == (f"mqtt://{plain}", "1883")
    influx, inside = SERVICES["influxdb"]["ports"][0].rsplit(":", 1)
    assert (station["PATROL_INFLUX__URL"], inside) == (f"http://{influx}", "8086")


def test_only_the_station_is_on_the_host_network() -> None:
    """It listens on loopback, whatever patrol.toml says; nobody else shares the network."""
    on_host = [name for name, service in SERVICES.items() if "network_mode" in service]
    assert on_host == ["patrol"]
    assert SERVICES["patrol"]["network_mode"] == "host"
    listen = SERVICES["patrol"]["environment"]["PATROL_HTTP__LISTEN"]
    assert listen == "127.0.0.1:${ZHIXUN_CONSOLE_PORT:-8080}"
    assert not set(SERVICES["mosquitto"]["networks"]) & set(SERVICES["influxdb"]["networks"])


@each_service
def test_secrets_are_files(name: str) -> None:
    """A variable that is about a secret names a file, which the service is given."""
    service = SERVICES[name]
    given = [item if isinstance(item, str) else item["target"] for item in service["secrets"]]
    folders = [target for _, target, _ in mounts(service)]
    for variable, value in service.get("environment", {}).items():
        if re.search(r"PASSWORD|TOKEN|SECRET", variable):
            assert variable.endswith("_FILE"), variable
            path = Path(value)
            assert path.name in given or str(path.parent) in folders, value
    for secret in (
        item if isinstance(item, str) else item["source"] for item in service["secrets"]
    ):
        assert STACK["secrets"][secret]["file"].startswith("./secrets/")


def test_there_is_no_default_password() -> None:
    """Nothing in what is shipped for the stack looks like a password, a token or a private key."""
    shipped = [COMPOSE, REPOSITORY / "Dockerfile", *(REPOSITORY / "docker").rglob("*")]
    assigned = re.compile(
        r"(?i)(?:password|passwd|secret|token)[\"']?\s*[:=]\s*[\"']?([^\s\"'$#,{}()\[\]]+)"
    )
    harmless = re.compile(r"/run/|\./|/tokens|secrets/|\*|\\|true|false|Token$|.*_file$")
    found = []
    for file in shipped:
        if not file.is_file() or file.suffix == ".json":
            continue
        text = file.read_text("utf-8")
        assert "PRIVATE KEY" not in text
        found += [
            f"{file.relative_to(REPOSITORY)}: {hit[0]}"
            for hit in assigned.finditer(text)
            if not harmless.match(hit[1])
        ]
    assert found == []
    ignored = (REPOSITORY / ".gitignore").read_text("utf-8").splitlines()
    assert {"secrets/", "/.env"} <= set(ignored)


def test_station_accepts_what_the_stack_gives_it(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample district with the environment of the container is a valid configuration."""
    (tmp_path / "token").write_text("t")
    environment = SERVICES["patrol"]["environment"]
    for variable, value in environment.items():
        value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        value = re.sub(r"\$\{ZHIXUN_CLIENT_ID:\?[^}]*\}", client_id(made), value)
        value = value.replace("/run/secrets/", f"{made}/secrets/")
        value = value.replace("/run/influxdb/", f"{tmp_path}/").replace("/var/lib/", f"{tmp_path}/")
        monkeypatch.setenv(variable, value)
    settings, _ = load_with_zones(REPOSITORY / "samples/chengyang/patrol.toml")
    assert settings.mqtt.username == "patrol"
    assert settings.mqtt.client_id == client_id(made)
    assert settings.influx is not None
    assert (
        settings.influx.bucket == SERVICES["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_BUCKET"]
    )
    assert settings.influx.org == SERVICES["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_ORG"]
    assert set(settings.vendors) == {SERVICES["simulator"]["environment"]["PATROL_MQTT__USERNAME"]}


def client_id(made: Path) -> str:
    """What docker/secrets.sh wrote into .env."""
    return (made / ".env").read_text().strip().partition("=")[2]


def test_grafana_finds_what_its_provisioning_names() -> None:
    """Dashboards of every language, and the token that InfluxDB leaves, where they are mounted."""
    mounted = {target: source for source, target, _ in mounts(SERVICES["grafana"])}
    # Not the folder above them: Grafana complains of the others when they are missing.
    folder = "/etc/grafana/provisioning"
    dashboards = REPOSITORY / mounted[f"{folder}/dashboards"] / "zhixun.yaml"
    [provider] = yaml.safe_load(dashboards.read_text("utf-8"))["providers"]
    path = provider["options"]["path"]
    assert path == "/etc/zhixun/dashboards/$ZHIXUN_LANGUAGE"
    assert "ZHIXUN_LANGUAGE" in SERVICES["grafana"]["environment"]
    for language in ("zh", "en"):
        assert list((REPOSITORY / mounted["/etc/zhixun/dashboards"] / language).glob("*.json"))
    sources = REPOSITORY / mounted[f"{folder}/datasources"] / "influxdb.yaml"
    text = sources.read_text("utf-8")
    assert "$__file{/run/influxdb/token}" in text
    assert mounted["/run/influxdb"] == "./secrets/influxdb/grafana"
    [source] = yaml.safe_load(text)["datasources"]
    assert source["jsonData"]["dbName"] == "patrol"  # as docker/influxdb/tokens.sh maps it
    assert source["url"] == "http://influxdb:8086"


def test_influxdb_can_be_set_up_again_when_that_has_failed() -> None:
    """Its image undoes a failed set-up but for the client's settings, and then refuses another.

    So these are not kept; and the health check does not follow them to the port of the set-up.
    """
    service = SERVICES["influxdb"]
    settings = Path(service["environment"]["INFLUX_CONFIGS_PATH"])
    assert str(settings.parent) in service["tmpfs"]
    check = service["healthcheck"]["test"]
    assert check[check.index("--host") + 1] == "http://127.0.0.1:8086"


def test_what_images_declare_as_volumes_has_a_name() -> None:
    """Otherwise each has one without a name, which stays behind.

    Something in memory (tmpfs) at that place is no way out: Compose gives the nameless volume to
    the next container as well, and Docker refuses the two ("Duplicate mount point").
    """
    declared = {
        "mosquitto": ["/mosquitto/data", "/mosquitto/log"],
        "influxdb": ["/var/lib/influxdb2", "/etc/influxdb2"],
    }
    assert "\nVOLUME" not in (REPOSITORY / "Dockerfile").read_text(
        "utf-8"
    )  # the simulator has none
    for name, paths in declared.items():
        sources = {target: source for source, target, _ in mounts(SERVICES[name])}
        for path in paths:
            assert sources[path] in STACK["volumes"]
            assert path not in SERVICES[name]["tmpfs"]


def test_nothing_is_fetched_after_the_images() -> None:
    """A machine without internet starts the stack as fast, and Grafana asks nobody."""
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
    off = ("REPORTING_ENABLED", "CHECK_FOR_UPDATES", "CHECK_FOR_PLUGIN_UPDATES")
    assert {environment[f"GF_ANALYTICS_{name}"] for name in off} == {"false"}
    assert SERVICES["influxdb"]["environment"]["INFLUXD_REPORTING_DISABLED"] == "true"


def test_users_are_those_that_secrets_belong_to() -> None:
    """docker/secrets.sh gives files to the user ids that the services run as."""
    script = (REPOSITORY / "docker/secrets.sh").read_text("utf-8")
    ids = dict(re.findall(r"\b(mosquitto|influxdb|grafana|station)=(\d+)", script))
    for name, owner in (
        *((n, n) for n in ("mosquitto", "influxdb", "grafana")),
        ("patrol", "station"),
    ):
        assert SERVICES[name]["user"].split(":")[0] == ids[owner]
    for reader in ("patrol", "grafana"):
        assert SERVICES[reader]["group_add"] == [ids["influxdb"]]
    dockerfile = (REPOSITORY / "Dockerfile").read_text("utf-8")
    assert f"USER {ids['station']}:{ids['station']}" in dockerfile


def test_scripts_can_be_run() -> None:
    """InfluxDB's image skips scripts that are not executable, without a word."""
    for name in ("docker/secrets.sh", "docker/influxdb/tokens.sh", "docker/patrol/ready.py"):
        assert os.access(REPOSITORY / name, os.X_OK), name
