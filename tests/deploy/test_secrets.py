"""docker/secrets.sh: random, once, readable by one, and silent."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.deploy.mqtt import clone, make_secrets
from tests.patience import PATIENCE_S
from tests.servers import REPOSITORY

STACK = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))
NOT_SECRET = {"mqtt_ca.pem"}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that was made."""
    secrets = folder / "secrets"
    made = {str(f.relative_to(secrets)): f.read_bytes() for f in secrets.rglob("*") if f.is_file()}
    return made | {".env": (folder / ".env").read_bytes()}


def test_makes_everything_that_the_stack_mounts(made: Path) -> None:
    """Files of `secrets:` and folders below ./secrets are there afterwards."""
    for secret in STACK["secrets"].values():
        assert (made / secret["file"]).stat().st_size > 0
    for service in STACK["services"].values():
        for mount in service.get("volumes", ()):
            if mount.startswith("./secrets/"):
                assert (made / mount.split(":")[0]).is_dir()


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """Not a byte, and no file more."""
    make_secrets(tmp_path, "first.example")
    before = contents(tmp_path)
    said = make_secrets(tmp_path, "second.example")
    assert contents(tmp_path) == before
    assert "made" not in said


def test_a_file_without_a_last_line_end_is_continued_on_a_new_line(tmp_path: Path) -> None:
    """Some editors leave one so."""
    settings, passwords = tmp_path / ".env", tmp_path / "secrets/mqtt_passwords"
    settings.write_text("ZHIXUN_LANGUAGE=en")
    make_secrets(tmp_path)
    language, name = settings.read_text().splitlines()
    assert language == "ZHIXUN_LANGUAGE=en"
    assert name.startswith("ZHIXUN_CLIENT_ID=zhixun-")
    passwords.write_text(passwords.read_text().rstrip("\n"))
    make_secrets(tmp_path, "vendor", "acme")
    assert [line.partition(":")[0] for line in passwords.read_text().splitlines()] == [
        "patrol",
        "hello",
        "health",
        "dispatch",
        "acme",
    ]


def test_two_installations_share_nothing(tmp_path: Path) -> None:
    """Every value is random."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make_secrets(tmp_path / name)
    a, b = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert a.keys() == b.keys()
    assert [name for name in a if a[name] == b[name]] == []
    words = [a[name] for name in a if re.fullmatch(rb"[0-9a-f]{48}", a[name])]
    assert len(words) >= 6
    assert len(set(words)) == len(words)


def test_nobody_else_can_read_them(made: Path) -> None:
    """Mode 600 in a folder of mode 700; only the authority's certificate is for everybody."""
    secrets = made / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert stat.S_IMODE((made / ".env").stat().st_mode) == 0o600
    for file in secrets.rglob("*"):
        mode = stat.S_IMODE(file.stat().st_mode)
        assert mode == (0o750 if file.is_dir() else 0o644 if file.name in NOT_SECRET else 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_each_file_belongs_to_its_reader(made: Path) -> None:
    """The user of the one service that is given a secret owns its file."""
    for service in STACK["services"].values():
        user = int(service["user"].split(":")[0])
        for item in service["secrets"]:
            name = item if isinstance(item, str) else item["source"]
            assert (made / STACK["secrets"][name]["file"]).stat().st_uid == user


def test_prints_no_secret(tmp_path: Path) -> None:
    """What it says can be pasted anywhere."""
    said = make_secrets(tmp_path) + make_secrets(tmp_path, "vendor", "acme")
    for name, content in contents(tmp_path).items():
        for word in re.findall(rb"[A-Za-z0-9+/=]{20,}", content):
            assert word.decode() not in said, name


def test_passwords_are_hashed(made: Path) -> None:
    """The broker's file has PBKDF2-SHA512 and no password."""
    text = (made / "secrets/mqtt_passwords").read_text()
    users = dict(line.split(":", 1) for line in text.splitlines())
    assert set(users) == {"patrol", "hello", "health", "dispatch", "acme"}
    assert all(word.startswith("$7$") for word in users.values())


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", "a#", "patrol", "coverage", "alerts"])
def test_refuses_names_that_are_no_vendors(made: Path, tmp_path: Path, name: str) -> None:
    """What cannot be in a topic, and what the system is called itself."""
    shutil.copytree(made / "secrets", tmp_path / "secrets")
    with pytest.raises(AssertionError, match=r"usage|taken"):
        make_secrets(tmp_path, "vendor", name)
    names = [{file.name for file in (f / "secrets").iterdir()} for f in (tmp_path, made)]
    assert names[0] == names[1]


def test_hashes_with_the_brokers_image_where_there_is_no_mosquitto(tmp_path: Path) -> None:
    """On a machine with Docker alone, mosquitto_passwd of the pinned image does it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for folder in ("/usr/local/bin", "/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            if tool.name not in ("docker", "mosquitto_passwd") and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    real = shutil.which("mosquitto_passwd")
    docker = tools / "docker"
    # Stands in for Docker: notes what it is asked, and runs the tool on the mounted folder.
    docker.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n'
        'while [ "$1" != --volume ]; do shift; done\n'
        f'exec {real} -U "${{2%%:*}}/passwords"\n'
    )
    docker.chmod(0o755)
    make_secrets(tmp_path, path=str(tools))
    assert "$7$" in (tmp_path / "secrets/mqtt_passwords").read_text()
    asked = (tmp_path / "asked").read_text()
    assert STACK["services"]["mosquitto"]["image"] in asked
    assert "--network none" in asked


def test_a_strict_clone_is_opened_to_the_containers(tmp_path: Path) -> None:
    """Under umask 077 git makes files that no user of a container could read."""
    checkout = clone(tmp_path / "clone")
    opened = [checkout / name for name in ("docker", "dashboards/grafana/generated", "samples")]
    for path in checkout.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    script = checkout / "docker/secrets.sh"
    subprocess.run([script], capture_output=True, check=True, timeout=PATIENCE_S)
    for path in [*opened, *(path for folder in opened for path in folder.rglob("*"))]:
        needed = 0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044
        assert path.stat().st_mode & 0o077 == needed, path


def test_tokens_that_were_copied_are_mended(tmp_path: Path) -> None:
    """What InfluxDB has left belongs to it and to its group again, after a restored backup."""
    make_secrets(tmp_path)
    token = tmp_path / "secrets/influxdb/grafana/token"
    token.write_text("t")
    token.chmod(0o600)
    make_secrets(tmp_path)
    assert stat.S_IMODE(token.stat().st_mode) == 0o640
    if os.geteuid() == 0:
        assert (token.stat().st_uid, token.stat().st_gid) == (1000, 1000)


def test_server_certificate_is_of_the_authority(made: Path) -> None:
    """A vendor that trusts mqtt_ca.pem trusts the broker, as a server and nothing else."""
    secrets = made / "secrets"
    verify = ["openssl", "verify", "-CAfile", str(secrets / "mqtt_ca.pem")]
    server = str(secrets / "mqtt_server.pem")
    assert subprocess.run([*verify, "-purpose", "sslserver", server]).returncode == 0
    assert subprocess.run([*verify, "-purpose", "sslclient", server]).returncode != 0
    for name in ("mqtt_ca.pem", "mqtt_server.pem"):
        show = ["openssl", "x509", "-noout", "-serial", "-in", str(secrets / name)]
        said = subprocess.run(show, capture_output=True, text=True, check=True).stdout
        serial = int(said.strip().removeprefix("serial="), 16)
        assert 64 < serial.bit_length() < 160  # RFC 5280, 4.1.2.2: 20 octets, the sign among them


INFLUX = r"""#!/bin/sh
# Stands in for InfluxDB's client 2.7.5: takes its flags and no others, notes what it is asked,
# and answers as its documentation shows.
for word; do
    case $word in
    --org | --description | --json | --bucket-id | --db | --rp | --default) ;;
    --write-bucket | --read-bucket | --read-dbrp) ;;
    --*) echo "flag provided but not defined: $word" >&2 && exit 1 ;;
    esac
done
echo "$*" >>"$ASKED"
case "$*" in
*"auth create"*)
    [ -n "${BROKEN:-}" ] && exit 1
    printf '{\n\t"id": "1",\n\t"description": "%s",\n\t"token": "made-for-%s==",\n' "$6" "$6"
    printf '\t"userName": "admin",\n\t"permissions": [\n\t\t"read:orgs/1/buckets/2"\n\t]\n}\n' ;;
esac
"""


def run_tokens(
    folder: Path, readers: Sequence[str] = ("patrol", "grafana"), **environment: str
) -> subprocess.CompletedProcess[str]:
    """docker/influxdb/tokens.sh, as InfluxDB's image runs it."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "influx").write_text(INFLUX)
    (tools / "influx").chmod(0o755)
    for reader in readers:
        (folder / "tokens" / reader).mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [str(REPOSITORY / "docker/influxdb/tokens.sh")],
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "ASKED": str(folder / "asked"),
            "ZHIXUN_TOKENS": str(folder / "tokens"),
            "DOCKER_INFLUXDB_INIT_ORG": "patrol",
            "DOCKER_INFLUXDB_INIT_BUCKET": "patrol",
            "DOCKER_INFLUXDB_INIT_BUCKET_ID": "00ff",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def test_influx_tokens_are_for_one_thing_each(tmp_path: Path) -> None:
    """The station may write the bucket, Grafana may read it; InfluxQL finds it by its name."""
    assert run_tokens(tmp_path).returncode == 0
    for reader in ("patrol", "grafana"):
        token = tmp_path / "tokens" / reader / "token"
        assert token.read_text().strip() == f"made-for-{reader}=="
        assert stat.S_IMODE(token.stat().st_mode) == 0o640
    asked = (tmp_path / "asked").read_text().splitlines()
    assert "--bucket-id 00ff --db patrol --rp autogen --default" in asked[0]
    assert "--description patrol --write-bucket 00ff --json" in asked[1]
    assert "--description grafana --read-bucket 00ff --read-dbrp --json" in asked[2]


def test_influx_setup_that_fails_is_told(tmp_path: Path) -> None:
    """InfluxDB's image then undoes the whole setup and tries again at the next start."""
    assert run_tokens(tmp_path, BROKEN="1").returncode != 0
    assert not (tmp_path / "tokens/patrol/token").exists()


def test_influx_setup_says_where_it_cannot_leave_a_token(tmp_path: Path) -> None:
    """Before it makes anything, and with what to do."""
    done = run_tokens(tmp_path, readers=("patrol",))
    assert done.returncode != 0
    assert "secrets/influxdb/grafana: run sudo docker/secrets.sh" in done.stderr
    assert not (tmp_path / "asked").exists()
